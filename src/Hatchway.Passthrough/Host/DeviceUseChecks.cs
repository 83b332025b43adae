using System.Globalization;

namespace Hatchway.Passthrough.Host;

/// <summary>The checks of what the host would lose with a function: its screen, its disks, its networks.</summary>
internal static class DeviceUseChecks
{
    private const uint InterfaceIsUp = 1;

    public static IReadOnlyList<Check<DeviceSubject>> All { get; } =
    [
        new("display", StopsRun: false, Display),
        new("file systems", StopsRun: false, FileSystems),
        new("networks", StopsRun: false, Networks),
    ];

    // Documentation/ABI/testing/sysfs-bus-pci, "boot_vga".
    private static Finding? Display(DeviceSubject subject) => subject.View.Text(subject.Address, "boot_vga") switch
    {
        null => null,
        "1" => Finding.Note(
            "the display that the machine booted with: the host's console goes dark with it",
            "boot with video=efifb:off, or let the firmware start on another display; reach the host by network or serial line"),
        _ => Finding.Ok("not the one that the machine booted with"),
    };

    private static Finding FileSystems(DeviceSubject subject)
    {
        var devices = WithHolders(subject).ToList();
        if (devices.Count == 0)
            return Finding.Ok("no disk of the host's");
        var used = new List<string>();
        foreach (var device in devices)
        {
            if (MountPoint(subject.View, subject.View.Sysfs.TryReadText($"class/block/{device}/dev")) is { } place)
                used.Add($"{device} is mounted at {place}");
            else if (IsSwap(subject.View, device))
                used.Add($"{device} is swapped to");
        }
        return used.Count == 0
            ? Finding.Ok($"nothing of {string.Join(", ", devices)} is mounted")
            : Finding.Problem(string.Join(", ", used), used.Exists(static use => use.EndsWith(" at /", StringComparison.Ordinal))
                ? "the host runs from it: it can't be given away"
                : "'umount' or 'swapoff' that first");
    }

    // Partitions, and what is made of them: LUKS, LVM, RAID.
    private static IEnumerable<string> WithHolders(DeviceSubject subject)
    {
        var seen = new HashSet<string>();
        var next = new Queue<string>(subject.View.BlockDevices(subject.Address));
        while (next.TryDequeue(out var device))
        {
            if (!seen.Add(device))
                continue;
            yield return device;
            foreach (var holder in subject.View.Sysfs.List($"class/block/{device}/holders"))
                next.Enqueue(holder);
        }
    }

    // "36 35 98:0 /mnt1 /mnt2 rw,noatime ...": the third word is the device, the fifth the place (proc(5), mountinfo).
    private static string? MountPoint(HostView view, string? number)
    {
        if (number is null)
            return null;
        foreach (var line in (view.Proc("self/mountinfo") ?? "").Split('\n'))
        {
            if (line.Split(' ') is [_, _, var device, _, var place, ..] && device == number)
                return place;
        }
        return null;
    }

    private static bool IsSwap(HostView view, string device) =>
        (view.Proc("swaps") ?? "").Split('\n').Any(line => line.StartsWith($"/dev/{device} ", StringComparison.Ordinal)
            || line.StartsWith($"/dev/{device}\t", StringComparison.Ordinal));

    private static Finding Networks(DeviceSubject subject)
    {
        var networks = subject.View.Networks(subject.Address).ToList();
        if (networks.Count == 0)
            return Finding.Ok("no network of the host's");
        var up = networks.Where(name => IsUp(subject.View, name)).ToList();
        if (up.Count == 0)
            return Finding.Ok($"{string.Join(", ", networks)} {(networks.Count == 1 ? "is" : "are")} down");
        var way = up.Find(name => HasDefaultRoute(subject.View, name)) is { } route ? $", and {route} is the host's way to the world" : "";
        return Finding.Problem($"{string.Join(", ", up)} {(up.Count == 1 ? "is" : "are")} up{way}", $"'ip link set {up[0]} down'");
    }

    // linux/if.h, IFF_UP.
    private static bool IsUp(HostView view, string name) =>
        view.Sysfs.TryReadText($"class/net/{name}/flags") is ['0', 'x', .. var digits]
        && uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var flags) && (flags & InterfaceIsUp) != 0;

    // "eth0	00000000	0102000A	0003 ...": a destination of zeros is everything (proc(5), net/route).
    private static bool HasDefaultRoute(HostView view, string name) =>
        (view.Proc("net/route") ?? "").Split('\n').Any(line => line.Split('\t') is [var device, "00000000", ..] && device == name);
}
