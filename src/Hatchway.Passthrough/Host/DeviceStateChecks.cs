using System.Globalization;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Passthrough.Host;

/// <summary>The checks of a function's own state: its reset, power, BARs and ROM.</summary>
internal static class DeviceStateChecks
{
    public static IReadOnlyList<Check<DeviceSubject>> All { get; } =
    [
        new("reset", StopsRun: false, ResetCheck.Look),
        new("power", StopsRun: false, Power),
        new("BAR addresses", StopsRun: false, BarAddresses),
        new("BARs below a page", StopsRun: false, SmallBars),
        new("ROM", StopsRun: false, Rom),
        new("Intel graphics", StopsRun: false, IntelGraphics),
    ];

    private static Finding? Power(DeviceSubject subject) => subject.View.Text(subject.Address, "power_state") switch
    {
        null => null,
        "D0" or "unknown" => Finding.Ok("on"),
        "error" => Finding.Problem("its power state can't be read", "a power cycle of the machine may bring it back"),
        var state when subject.Device!.IsBoundToVfio => Finding.Ok($"{state}: VFIO lets it sleep, and wakes it when it is opened"),
        var state => Finding.Note(
            $"{state}: it wakes when it is opened",
            $"should it not, 'echo on > /sys/bus/pci/devices/{subject.Address}/power/control'"),
    };

    private static Finding? BarAddresses(DeviceSubject subject)
    {
        var bars = subject.Inspected.Bars;
        if (bars.FirstOrDefault(static bar => bar.Address is null) is { } nowhere)
        {
            return Finding.Problem(
                $"the host has no address for {Name(nowhere)}",
                "boot with pci=realloc, or give the firmware more room (above 4G decoding)");
        }
        if (AddressBits(subject.View) is not { } bits)
            return null;
        // A BAR is aligned to its size, and the lower half of the address space has RAM in it.
        if (bars.FirstOrDefault(bar => bits < 64 && bar.Size > 1ul << (bits - 1)) is { } large)
        {
            return Finding.Problem(
                $"{Name(large)} does not fit the processor's {bits} bits of address",
                $"make it smaller by /sys/bus/pci/devices/{subject.Address}/resource{large.Index.Value}_resize, where that is there");
        }
        return Finding.Ok(bars.Count == 0
            ? "it has no BARs"
            : $"{bars.Count} BAR{(bars.Count == 1 ? "" : "s")}, all with addresses within {bits} bits");
    }

    private static Finding SmallBars(DeviceSubject subject)
    {
        var small = subject.Inspected.Bars
            .Where(static bar => bar.Kind is BarKind.Memory32 or BarKind.Memory64 && bar.Size < GuestPage.Size)
            .ToList();
        if (small.Count == 0)
            return Finding.Ok("none");
        var words = string.Join("; ", small.Select(static bar => $"{Name(bar)}: {bar.Parts[0].Reason}"));
        return small.TrueForAll(static bar => bar.Parts[0].Segment.Kind != SegmentKind.Trapped)
            ? Finding.Ok(words)
            : Finding.Note(
                $"{words}; trapped, each access an exit",
                OwnPages.Shared(subject).Count > 0 ? $"'hatchway host reserve --own-page {subject.Address}'" : null);
    }

    // Integrated graphics are always at 00:02.0; their virtual functions follow. ASLS, BDSM and GGC are registers in config space (Linux
    // drivers/vfio/pci/vfio_pci_igd.c, include/drm/intel/i915_drm.h).
    private static Finding? IntelGraphics(DeviceSubject subject) =>
        subject is { Address: { Domain: 0, Bus: 0, Device: 2, Function: 0 }, Device: { Vendor: 0x8086, Class: var kind } }
            && kind >> 16 == 3
            ? Finding.Note(
                "a guest's driver reads host addresses in it (ASLS, BDSM, GGC) and gets no OpRegion: it may find no display, or not start")
            : null;

    private static Finding Rom(DeviceSubject subject)
    {
        if (subject.Inspected.Bars.FirstOrDefault(static bar => bar.Kind == BarKind.Rom) is not { } rom)
            return Finding.Ok("none");
        return subject.View.Resources(subject.Address)[rom.Index.Value].IsRomShadow
            ? Finding.Note(
                "the firmware's copy, which may have been changed when the machine booted",
                "'rom=FILE' gives a good one, 'rom=off' none")
            : Finding.Ok($"{Sizes.Format(rom.Size!.Value)}, which a guest can read ('rom=off' hides it)");
    }

    private static string Name(InspectedBar bar) => $"{bar.Index} ({Sizes.Format(bar.Size!.Value)})";

    // "address sizes	: 39 bits physical, 48 bits virtual" (arch/x86/kernel/cpu/proc.c).
    private static int? AddressBits(HostView view)
    {
        const string Name = "address sizes";
        foreach (var line in (view.Proc("cpuinfo") ?? "").Split('\n'))
        {
            if (!line.StartsWith(Name, StringComparison.Ordinal))
                continue;
            var words = line[Name.Length..].Split([' ', ':', '\t'], StringSplitOptions.RemoveEmptyEntries);
            return words.Length > 0
                && int.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture, out var bits) && bits is > 0 and <= 64
                    ? bits
                    : null;
        }
        return null;
    }
}
