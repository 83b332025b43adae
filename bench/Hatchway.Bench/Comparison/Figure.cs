namespace Hatchway.Bench.Comparison;

/// <summary>A line of the table: what is compared with what, and what it is to be.</summary>
/// <param name="Title">What the reader sees.</param>
/// <param name="Ours">Hatchway's series.</param>
/// <param name="Theirs">QEMU's series; null when QEMU has none, or when it is what is compared with.</param>
/// <param name="With">What one is: the sum of these series.</param>
/// <param name="One">The same in words.</param>
/// <param name="Goal">What Hatchway's ratio may be at most.</param>
internal sealed record Figure(string Title, string Ours, string? Theirs, string[] With, string One, double? Goal)
{
    /// <summary>All figures, in the order of the page.</summary>
    public static readonly Figure[] All =
    [
        new("read of an empty port", "empty-port/hatchway", "empty-port/qemu", ["bare-port/bare"], "bare exit", null),
        new("read of an I/O BAR, 4 bytes", "io-bar/hatchway", "io-bar/qemu", ["bare-port/bare", "host-read/bare"], "bare exit + the host's own read", 1.15),
        new("config read, device and vendor", "config-own/hatchway", "config-own/qemu", ["bare-port/bare"], "bare exit", 3.64),
        new("config read, status and command", "config-device/hatchway", "config-device/qemu", ["bare-port/bare"], "bare exit", 3.64),
        new("read of a handler's register", "handler/hatchway", null, ["bare-port/bare"], "bare exit", 1.10),
        new("read in a direct page", "direct/hatchway", null, ["direct/qemu"], "QEMU", 1.0),
        new("exec to the guest's init", "boot/hatchway", null, ["boot/qemu"], "QEMU q35", 0.5),
        new("exec to the guest's init", "boot/hatchway", null, ["boot/microvm"], "QEMU microvm", 0.9),
    ];

    /// <summary>The series that it needs.</summary>
    public IEnumerable<string> Series => Theirs is null ? [Ours, .. With] : [Ours, Theirs, .. With];
}
