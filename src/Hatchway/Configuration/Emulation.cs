namespace Hatchway.Configuration;

/// <summary>A device that bhyve(8) offers for a slot of the guest's PCI bus.</summary>
/// <param name="Name">Its name in <c>-s</c>.</param>
/// <param name="Model">The value of its variable <c>device</c>: its name, or the name of the device that it is a form of.</param>
/// <param name="Conf">The form of its conf, for the help.</param>
/// <param name="Help">What it is, for the help.</param>
/// <param name="Parse">Writes the conf to the tree.</param>
/// <param name="Variables">The variables that its node may have, beside <c>device</c>; a star stands for a number.</param>
/// <param name="Instead">Null when Hatchway has the device; else what to use instead.</param>
internal sealed record Emulation(
    string Name, string Model, string Conf, string Help, Action<LegacyConf> Parse, IReadOnlyList<string> Variables, string? Instead)
{
    private const string NoScreen = "a guest's screen is its serial console, -l com1,stdio";

    private static readonly string[] BlockVariables =
        ["path", "nocache", "nodelete", "sync", "direct", "ro", "sectorsize", "bootindex"];

    private static readonly string[] NetworkVariables =
        ["backend", "type", "mac", "mtu", "path", "peerhook", "socket", "hook", "hostfwd", "bootindex"];

    private static readonly string[] AhciVariables =
        Array.ConvertAll([.. BlockVariables, "type", "nmrr", "ser", "rev", "model"], static name => $"port.*.{name}");

    /// <summary>All devices that bhyve has; those that Hatchway has, too, come first.</summary>
    public static IReadOnlyList<Emulation> All { get; } =
    [
        new(
            "hostbridge", "hostbridge", "-", "PCI host bridge; slot 0 by custom", static conf => conf.Pairs(),
            ["pcireg.vendor", "pcireg.device", "vendor", "devid"], null),
        new("amd_hostbridge", "hostbridge", "-", "the same with an identity of AMD's", DeviceConf.AmdHostBridge, [], null),
        new("lpc", "lpc", "-", "bridge to the ISA devices (com1, RTC); wants a slot of its own", DeviceConf.None, [], null),
        new(
            "passthru", "passthru", "bus/slot/function", "PCI function of this host, bound to vfio-pci", DeviceConf.Passthru,
            ["domain", "bus", "slot", "func", "pptdev", "rom", "subpage", "peers", "handler.*", "mirror.*", "bootindex"], null),
        new(
            "virtio-blk", "virtio-blk", "path[,option]...", "disk in a file or block device", static conf => conf.FirstThenPairs("path"),
            [.. BlockVariables, "ser", "shared", "threads", "ring"], null),
        new(
            "virtio-net", "virtio-net", "tapN[,mac=MAC][,mtu=N]", "network card on a tap of this host; queues=N", DeviceConf.Network,
            ["backend", "type", "mac", "mtu", "queues", "ring", "bootindex"], null),
        new("virtio-rnd", "virtio-rnd", "-", "source of random numbers", static conf => conf.Pairs(), ["ring"], null),
        new(
            "virtio-console", "virtio-console", "name=path[,name=path]...", "character devices on sockets", DeviceConf.Console,
            ["port.*.name", "port.*.path", "ring"], null),
        new("ahci", "ahci", "", "", DeviceConf.Ahci, AhciVariables, "use virtio-blk for a disk"),
        new("ahci-hd", "ahci", "", "", DeviceConf.AhciDisk, AhciVariables, "use virtio-blk"),
        new("ahci-cd", "ahci", "", "", DeviceConf.AhciCd, AhciVariables, "use virtio-blk with the option ro"),
        new(
            "nvme", "nvme", "", "", DeviceConf.Nvme,
            [.. BlockVariables, "maxq", "qsz", "ioslots", "sectsz", "ser", "eui64", "dsm", "ram"],
            "use virtio-blk, or give an NVMe disk of the host with passthru"),
        new(
            "e1000", "e1000", "", "", DeviceConf.Network, NetworkVariables,
            "use virtio-net, or give a network card of the host with passthru"),
        new(
            "virtio-scsi", "virtio-scsi", "", "", static conf => conf.FirstThenPairs("dev"), ["dev", "iid", "bootindex"],
            "it needs FreeBSD's CAM target layer; use virtio-blk"),
        new(
            "virtio-9p", "virtio-9p", "", "", DeviceConf.Share, ["sharename", "path", "ro"],
            "share files over virtio-net, or put them on a disk with virtio-blk"),
        new(
            "virtio-input", "virtio-input", "", "", static conf => conf.FirstThenPairs("path"), ["path"],
            $"{NoScreen}, and takes its input there"),
        new(
            "uart", "uart", "", "", static conf => conf.FirstThenPairs("path"), ["path"],
            "use the serial ports of the lpc bridge, -l com1 to com4"),
        new("xhci", "xhci", "", "", DeviceConf.Usb, ["slot.*.device"], "give a USB controller of the host with passthru"),
        new(
            "fbuf", "fbuf", "", "", static conf => conf.Pairs(), ["wait", "rfb", "tcp", "vga", "w", "h", "password"], NoScreen),
        new("hda", "hda", "", "", static conf => conf.Pairs(), ["play", "rec"], "give a sound card of the host with passthru"),
    ];

    /// <summary>Finds the device of a name, or null.</summary>
    public static Emulation? Find(string name) => All.FirstOrDefault(emulation => emulation.Name == name);
}
