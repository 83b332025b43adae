using Hatchway.Linux.Vfio;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Vfio;

/// <summary>A range of the guest's RAM.</summary>
/// <param name="GuestPhysical">Where the guest, and so the device, sees it.</param>
/// <param name="HostAddress">Where this process has it.</param>
/// <param name="Length">Bytes, a multiple of the page size.</param>
public readonly record struct GuestRamRange(ulong GuestPhysical, nint HostAddress, ulong Length);

/// <summary>Which of the guest's RAM an IOMMU can map.</summary>
/// <remarks>
/// An IOMMU reserves ranges of addresses, as x86's does FEE00000h for messages, and has a last one; of several IOMMUs the kernel reports
/// what all can map (drivers/vfio/vfio_iommu_type1.c, vfio_iommu_iova_build_caps). A mapping that touches anything else is EINVAL.
/// </remarks>
internal static class DmaRanges
{
    /// <summary>The parts of a range of RAM that can be mapped, each as large as it can be, in rising order.</summary>
    /// <param name="ram">The range.</param>
    /// <param name="usable">What can be mapped, in rising order; empty when the kernel does not say (before Linux 5.4): then all.</param>
    public static IReadOnlyList<GuestRamRange> Mappable(GuestRamRange ram, IReadOnlyList<IovaRange> usable)
    {
        if (usable.Count == 0)
            return [ram];
        var pieces = new List<GuestRamRange>();
        foreach (var range in usable)
        {
            var from = Math.Max(ram.GuestPhysical, RoundUp(range.Start));
            var to = Math.Min(ram.GuestPhysical + ram.Length, End(range));
            if (from < to)
                pieces.Add(new GuestRamRange(from, ram.HostAddress + (nint)(from - ram.GuestPhysical), to - from));
        }
        return pieces;
    }

    // Half a page can't be mapped. The page at the very end of 64 bits is no loss.
    private static ulong End(IovaRange range) =>
        GuestPage.RoundDown(range.Last == ulong.MaxValue ? ulong.MaxValue : range.Last + 1);

    private static ulong RoundUp(ulong address) =>
        address > ulong.MaxValue - GuestPage.Size ? ulong.MaxValue : GuestPage.RoundUp(address);
}
