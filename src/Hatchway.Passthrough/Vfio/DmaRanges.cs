using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Vfio;

/// <summary>A range of the guest's RAM.</summary>
/// <param name="GuestPhysical">Where the guest, and so the device, sees it.</param>
/// <param name="HostAddress">Where this process has it.</param>
/// <param name="Length">Bytes, a multiple of the page size.</param>
public readonly record struct GuestRamRange(ulong GuestPhysical, nint HostAddress, ulong Length);

/// <summary>Splits the guest's RAM into the parts that an IOMMU can map.</summary>
/// <remarks>
/// An IOMMU reserves ranges of addresses, such as x86's FEE00000h for messages, and has a highest address. With several IOMMUs the kernel
/// reports what all of them can map (drivers/vfio/vfio_iommu_type1.c, vfio_iommu_iova_build_caps). Mapping anything else gives EINVAL.
/// </remarks>
internal static class DmaRanges
{
    private const ulong HighRam = 1ul << 32;

    /// <summary>The parts of a range of RAM that can be mapped, each as large as it can be, in rising order.</summary>
    /// <param name="ram">The range.</param>
    /// <param name="usable">The ranges that can be mapped, in rising order. When empty, as before Linux 5.4, everything is tried.</param>
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

    /// <summary>Checks that devices reach all RAM above 4 GiB; nothing tells a guest of gaps there.</summary>
    /// <remarks>AMD's IOMMU translates no addresses from FD_0000_0000h to FF_FFFF_FFFFh, which belong to HyperTransport
    /// (drivers/iommu/amd/iommu.c, amd_iommu_get_resv_regions).</remarks>
    /// <param name="ram">All RAM, in rising order.</param>
    /// <param name="usable">As for <see cref="Mappable"/>.</param>
    /// <exception cref="PassthroughException">They don't; the message names the gap and the most RAM that fits below it.</exception>
    public static void CheckHighRam(IReadOnlyList<GuestRamRange> ram, IReadOnlyList<IovaRange> usable)
    {
        var before = 0ul;
        foreach (var range in ram)
        {
            if (range.GuestPhysical >= HighRam && FirstGap(range, usable) is { } gap)
            {
                var next = usable.FirstOrDefault(other => other.Start > gap).Start;
                throw new PassthroughException(
                    $"devices' DMA does not reach addresses from {gap:x}h {(next == 0 ? "on" : $"to {next - 1:x}h")}, which the host's "
                    + "IOMMU does not translate, and so not all of this guest's RAM: give it no more than "
                    + $"{Sizes.Format(before + gap - range.GuestPhysical)} (-m)");
            }
            before += range.Length;
        }
    }

    private static ulong? FirstGap(GuestRamRange ram, IReadOnlyList<IovaRange> usable)
    {
        var at = ram.GuestPhysical;
        foreach (var piece in Mappable(ram, usable))
        {
            if (piece.GuestPhysical > at)
                break;
            at = piece.GuestPhysical + piece.Length;
        }
        return at < ram.GuestPhysical + ram.Length ? at : null;
    }

    // Only whole pages can be mapped. Losing the last page of the 64-bit space does no harm.
    private static ulong End(IovaRange range) =>
        GuestPage.RoundDown(range.Last == ulong.MaxValue ? ulong.MaxValue : range.Last + 1);

    private static ulong RoundUp(ulong address) =>
        address > ulong.MaxValue - GuestPage.Size ? ulong.MaxValue : GuestPage.RoundUp(address);
}
