namespace Hatchway.Passthrough.Host;

/// <summary>The checks of what the host would lose with a function: its display, disks and networks.</summary>
internal static class DeviceUseChecks
{
    public static IReadOnlyList<Check<DeviceSubject>> All { get; } =
    [
        new("display", StopsRun: false, Display),
        new("file systems", StopsRun: false, FileSystems),
        new("networks", StopsRun: false, Networks),
    ];

    /// <summary>Lists what the host would lose with a function, as reasons not to take it. Empty when it would lose nothing.</summary>
    public static IReadOnlyList<string> Losses(DeviceSubject subject)
    {
        var losses = new List<string>();
        // Virtual functions disappear with their physical function (Documentation/ABI/testing/sysfs-bus-pci, "sriov_numvfs").
        if (subject.View.Text(subject.Address, "sriov_numvfs") is { } virtualFunctions and not "0")
            losses.Add($"it has {virtualFunctions} virtual function(s), which go with it");
        foreach (var use in BlockUses.Of(subject.View, BlockUses.Devices(subject)))
            losses.Add(use.IsRoot ? $"{use.Words}, the host runs from it" : use.Words);
        var networks = NetworkUses.Up(subject);
        if (NetworkUses.WayToTheWorld(subject.View, networks) is { } way)
            losses.Add($"{way} is the host's way to the world");
        else if (networks.Count > 0 && NetworkUses.AreAllThereIs(subject.View, networks))
            losses.Add($"{string.Join(", ", networks)} {(networks.Count == 1 ? "is" : "are")} the host's only network");
        if (IsBootDisplay(subject) == true)
            losses.Add("the host's console is on this display");
        foreach (var console in subject.View.Consoles(subject.Address))
            losses.Add($"the host's console is on {console}");
        return losses;
    }

    // Documentation/ABI/testing/sysfs-bus-pci, "boot_vga".
    private static bool? IsBootDisplay(DeviceSubject subject) =>
        subject.View.Text(subject.Address, "boot_vga") is { } text ? text == "1" : null;

    private static Finding? Display(DeviceSubject subject) => IsBootDisplay(subject) switch
    {
        null => null,
        true => Finding.Note(
            "the display that the machine booted with: the host's console goes dark with it",
            "boot with video=efifb:off, or let the firmware start on another display; reach the host by network or serial line"),
        false => Finding.Ok("not the one that the machine booted with"),
    };

    private static Finding FileSystems(DeviceSubject subject)
    {
        var devices = BlockUses.Devices(subject);
        if (devices.Count == 0)
            return Finding.Ok("no disk of the host's");
        var uses = BlockUses.Of(subject.View, devices);
        return uses.Count == 0
            ? Finding.Ok($"nothing of {string.Join(", ", devices)} is mounted")
            : Finding.Problem(string.Join(", ", uses.Select(static use => use.Words)), uses.Any(static use => use.IsRoot)
                ? "the host runs from it: it can't be given away"
                : "'umount' or 'swapoff' that first");
    }

    private static Finding Networks(DeviceSubject subject)
    {
        var networks = subject.View.Networks(subject.Address).ToList();
        if (networks.Count == 0)
            return Finding.Ok("no network of the host's");
        var up = NetworkUses.Up(subject);
        if (up.Count == 0)
            return Finding.Ok($"{string.Join(", ", networks)} {(networks.Count == 1 ? "is" : "are")} down");
        var way = NetworkUses.WayToTheWorld(subject.View, up) is { } route ? $", and {route} is the host's way to the world" : "";
        return Finding.Problem($"{string.Join(", ", up)} {(up.Count == 1 ? "is" : "are")} up{way}", $"'ip link set {up[0]} down'");
    }
}
