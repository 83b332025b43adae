namespace Hatchway.Linux.Vfio;

/// <summary>A part of a region that can be mapped.</summary>
/// <param name="Offset">Bytes from the region's start.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct SparseArea(ulong Offset, ulong Length);

/// <summary>One region of a device: a BAR, the ROM, config space (struct vfio_region_info).</summary>
/// <param name="Size">Bytes; 0 when the device lacks the region.</param>
/// <param name="FileOffset">Where it begins in the device's file.</param>
/// <param name="IsWritable">True when it can be written.</param>
/// <param name="IsMappable">True when it can be mapped, whole or in the parts that <paramref name="SparseAreas"/> names.</param>
/// <param name="SparseAreas">The mappable parts; empty when the kernel names none.</param>
public sealed record VfioRegionInfo(
    ulong Size, ulong FileOffset, bool IsWritable, bool IsMappable, IReadOnlyList<SparseArea> SparseAreas);

/// <summary>Region and interrupt indices of a PCI device (linux/vfio.h, VFIO_PCI_*_INDEX). Regions 0 to 5 are the BARs, 6 is the
/// expansion ROM.</summary>
public static class VfioPciIndex
{
    /// <summary>Config space.</summary>
    public const int ConfigRegion = 7;

    /// <summary>INTx.</summary>
    public const int IntxIrq = 0;

    /// <summary>MSI.</summary>
    public const int MsiIrq = 1;

    /// <summary>MSI-X.</summary>
    public const int MsixIrq = 2;

    /// <summary>The device reports an uncorrectable error.</summary>
    public const int ErrorIrq = 3;

    /// <summary>The host wants the device back.</summary>
    public const int RequestIrq = 4;
}
