namespace Hatchway.Bench.Comparison;

/// <summary>A row of the table: a series, what it is compared with, and the goal.</summary>
/// <param name="Title">The row's title.</param>
/// <param name="Ours">Hatchway's series.</param>
/// <param name="Theirs">QEMU's series; null when QEMU has none, or when it is the base of the comparison.</param>
/// <param name="With">The base of the comparison: the sum of these series is 1.</param>
/// <param name="One">The base in words.</param>
/// <param name="Goal">The highest ratio that Hatchway aims at.</param>
internal sealed record Figure(string Title, string Ours, string? Theirs, string[] With, string One, double? Goal)
{
    /// <summary>All figures, in the order of the page.</summary>
    public static readonly Figure[] All =
    [
        .. Alone("hatchway", "qemu", ""),
        .. Alone("native", null, ", native code"),
        new("handler's register, port, bare guest", "alone-io-handler/hatchway", null, ["alone-port/bare"], "bare exit", 1.10),
        new(
            "handler's register, memory, bare guest", "alone-memory-handler/hatchway", null,
            ["alone-memory/bare"], "bare exit, memory", 1.10),
        new(
            "read in a trapped page, bare guest", "alone-memory-bar/hatchway", null,
            ["alone-memory/bare", "alone-memory-register/bare"], "bare exit, memory + the host's own read", null),
        new("read in a direct page, bare guest, native code", "alone-memory-bar/native", null, ["alone-memory-bar/qemu"], "QEMU", 1.0),
        Beside2048("read of an empty port", "empty-port"),
        Beside2048("read of an I/O BAR", "io-bar"),
        Beside2048("config read", "config-own"),
        new(
            "256 vectors switched on, one after the other, native code", "vectors-unmask/256", null,
            ["vectors-unmask/qemu-256"], "QEMU", null),
        new("read of an empty port", "empty-port/hatchway", "empty-port/qemu", ["bare-port/bare"], "bare exit", null),
        new(
            "read of an I/O BAR, 4 bytes", "io-bar/hatchway", "io-bar/qemu",
            ["bare-port/bare", "host-read/bare"], "bare exit + the host's own read", 1.15),
        new("config read, device and vendor", "config-own/hatchway", "config-own/qemu", ["bare-port/bare"], "bare exit", 3.64),
        new("config read, status and command", "config-device/hatchway", "config-device/qemu", ["bare-port/bare"], "bare exit", 3.64),
        new("read of a handler's register", "handler/hatchway", null, ["bare-port/bare"], "bare exit", 1.10),
        Against("read in a direct page", "direct", 1.0),
        Against("NVMe, 4 KiB read, depth 1", "nvme-1", 0.9),
        Against("NVMe, depth 1, processor time", "nvme-1-cpu", null),
        Against("NVMe, 4 KiB read, depth 32", "nvme-32", 0.9),
        Against("NVMe, depth 32, processor time", "nvme-32-cpu", null),
        Against("virtio-blk, 4 KiB read, depth 1", "blk-1", 1.0),
        Against("virtio-blk, depth 1, processor time", "blk-1-cpu", null),
        Against("virtio-blk, 4 KiB read, depth 32", "blk-32", 1.0),
        Against("virtio-blk, depth 32, processor time", "blk-32-cpu", null),
        Against("virtio-net, TCP from the guest", "net-out", 1.0),
        Against("virtio-net, from the guest, processor time", "net-out-cpu", null),
        Against("virtio-net, TCP to the guest", "net-in", 1.0),
        Against("virtio-net, to the guest, processor time", "net-in-cpu", null),
        Against("exec to the guest's init", "boot", 0.5),
        Against("exec to the guest's init", "boot", 0.9, "microvm"),
        Native("exec to the guest's init, native code", "boot", 0.5),
        Native("exec to the guest's init, native code", "boot", 0.9, "microvm"),
        new("of that, from the guest's first instruction on", "boot-guest/hatchway", null, ["boot/qemu"], "QEMU, from exec on", null),
        new(
            "of that, from the guest's first instruction on, native code", "boot-guest/native", null,
            ["boot/qemu"], "QEMU, from exec on", null),
        Against("exec to the guest's init, instructions", "start", null),
        Against("exec to the guest's init, instructions", "start", null, "microvm"),
        Native("exec to the guest's init, instructions, native code", "start", null),
        Native("exec to the guest's init, instructions, native code", "start", null, "microvm"),
        Against("memory beside the guest's, idle", "memory", 0.5),
        Against("memory beside the guest's, idle", "memory", null, "microvm"),
        Native("memory beside the guest's, native code", "memory", 0.5),
        Against("attach: 64 MiB taken, pinned and mapped", "attach-64", 1.0),
        Against("attach: 256 MiB taken, pinned and mapped", "attach-256", 1.0),
        Against("attach: 1 GiB taken, pinned and mapped", "attach-1024", 1.0),
        Against("attach: 4 GiB taken, pinned and mapped", "attach-4096", 1.0),
        Against("attach: 1 GiB of the host's huge pages", "attach-pool", 1.0),
    ];

    /// <summary>Exits to the monitor for one operation, shown as they are.</summary>
    public static readonly (string Title, string Name)[] Exits =
    [
        ("NVMe, 4 KiB read, depth 1", "nvme-1-exits"),
        ("NVMe, 4 KiB read, depth 32", "nvme-32-exits"),
        ("virtio-blk, 4 KiB read, depth 1", "blk-1-exits"),
        ("virtio-blk, 4 KiB read, depth 32", "blk-32-exits"),
        ("virtio-net, TCP from the guest, 1 MB", "net-out-exits"),
        ("virtio-net, TCP to the guest, 1 MB", "net-in-exits"),
    ];

    /// <summary>Figures shown by the number of devices and CPUs, each with the number of operations that its value is for.</summary>
    public static readonly (string Title, string Name, double One)[] Scaled =
    [
        ("read of an empty port", "scale-empty-port", 1),
        ("read of an I/O BAR", "scale-io-bar", 1),
        ("config read", "scale-config-own", 1),
        ("start, until the guest has placed its devices and read 5200 times, millions", "scale-start", 1e6),
    ];

    /// <summary>The columns of the scaled figures: numbers of devices and CPUs.</summary>
    public static readonly (string Title, string Name)[] Scales =
        [("1 device", "1"), ("8", "8"), ("24", "24"), ("24, and 16 CPUs", "cpus")];

    /// <summary>True when QEMU has a series for it, or is the base of the comparison.</summary>
    public bool IsBesideQemu => Theirs is not null || One.StartsWith("QEMU", StringComparison.Ordinal);

    /// <summary>The series that it needs.</summary>
    public IEnumerable<string> Series => Theirs is null ? [Ours, .. With] : [Ours, Theirs, .. With];

    // A guest that does nothing except exit.
    private static Figure[] Alone(string ours, string? theirs, string how)
    {
        return
        [
            Exit("read of an empty port", "empty-port", ["alone-port/bare"], "bare exit", null),
            Exit(
                "read of an I/O BAR, 4 bytes", "io-bar", ["alone-port/bare", "alone-port-register/bare"],
                "bare exit + the host's own read", 1.15),
            Exit("config read, device and vendor", "config-own", ["alone-port/bare"], "bare exit", 3.64),
            Exit("config read, status and command", "config-device", ["alone-port/bare"], "bare exit", 3.64),
        ];

        Figure Exit(string title, string name, string[] with, string one, double? goal) =>
            new($"{title}, bare guest{how}", $"alone-{name}/{ours}", theirs is null ? null : $"alone-{name}/{theirs}", with, one, goal);
    }

    // With all MSI-X vectors in use, compared with none.
    private static Figure Beside2048(string title, string name) =>
        new(
            $"{title}, bare guest, 2048 vectors in use, native code", $"vectors-{name}/2048", null,
            [$"vectors-{name}/0"], "none in use", null);

    private static Figure Against(string title, string name, double? goal, string other = "qemu") =>
        Between(title, name, "hatchway", other, goal);

    // The program built as native code.
    private static Figure Native(string title, string name, double? goal, string other = "qemu") =>
        Between(title, name, "native", other, goal);

    private static Figure Between(string title, string name, string ours, string other, double? goal) =>
        new(title, $"{name}/{ours}", null, [$"{name}/{other}"], other == "qemu" ? "QEMU" : $"QEMU {other}", goal);
}
