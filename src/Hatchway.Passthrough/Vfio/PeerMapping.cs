using Hatchway.Linux;

namespace Hatchway.Passthrough.Vfio;

/// <summary>Part of a BAR that is mapped for the guest's CPUs and, at the same address, for DMA of its devices.</summary>
internal sealed class PeerMapping : IDisposable
{
    private readonly IDisposable _guest;
    private readonly IDisposable? _dma;

    /// <param name="guest">The mapping in the VM.</param>
    /// <param name="dma">The mapping in the IOMMU, or null when there is none.</param>
    public PeerMapping(IDisposable guest, IDisposable? dma) => (_guest, _dma) = (guest, dma);

    /// <summary>Removes both mappings.</summary>
    public void Dispose()
    {
        _guest.Dispose();
        try
        {
            _dma?.Dispose();
        }
        catch (LinuxException)
        {
            // The kernel drops all mappings when the last group leaves the container, and then there is none to remove.
        }
    }
}
