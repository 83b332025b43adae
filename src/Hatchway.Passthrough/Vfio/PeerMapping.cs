using Hatchway.Linux;

namespace Hatchway.Passthrough.Vfio;

/// <summary>Part of a BAR that the guest reaches without an exit, and that devices reach by DMA at the same address.</summary>
internal sealed class PeerMapping : IDisposable
{
    private readonly IDisposable _guest;
    private readonly IDisposable? _dma;

    /// <param name="guest">What the guest's CPUs use.</param>
    /// <param name="dma">What its devices use; null when they can't.</param>
    public PeerMapping(IDisposable guest, IDisposable? dma) => (_guest, _dma) = (guest, dma);

    /// <summary>Ends both.</summary>
    public void Dispose()
    {
        _guest.Dispose();
        try
        {
            _dma?.Dispose();
        }
        catch (LinuxException)
        {
            // The kernel forgets what was mapped when the last group leaves the container: there is nothing left to end.
        }
    }
}
