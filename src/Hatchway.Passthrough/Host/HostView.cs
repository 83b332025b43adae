using System.Globalization;
using Hatchway.Linux;
using Hatchway.Pci.Address;
using Hatchway.Pci.Config;

namespace Hatchway.Passthrough.Host;

/// <summary>A process that has a VFIO file open.</summary>
/// <param name="Id">Its process id.</param>
/// <param name="Name">Its command's name (proc(5), <c>comm</c>).</param>
public readonly record struct HoldingProcess(int Id, string Name)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({Id})";
}

/// <summary>Reads about the host from /sys, /proc and /dev.</summary>
/// <param name="sysfs">/sys.</param>
/// <param name="proc">/proc.</param>
/// <param name="dev">The folder of device files.</param>
/// <param name="udev">The folder of udev's device database.</param>
/// <remarks>
/// Lists, /proc's texts, resources, config spaces, groups and holders are read once and kept, as a snapshot. <see cref="Find"/>,
/// <see cref="Text"/>, <see cref="BridgesAbove"/> and <see cref="Consoles"/> read anew each time. For one thread. Opens no device.
/// </remarks>
public sealed class HostView(Sysfs sysfs, Sysfs proc, string dev = "/dev", string udev = "/run/udev/data")
{
    private const string FunctionsFolder = "bus/pci/devices";
    private const string DeviceFolder = "/dev/";
    private const string GroupFolder = "/dev/vfio/";
    private const string VfioDeviceFolder = GroupFolder + "devices/";
    private readonly Dictionary<string, string?> _procTexts = [];
    private readonly Dictionary<PciAddress, IReadOnlyList<PciResource>> _resources = [];
    private readonly Dictionary<PciAddress, RecordedConfigSpace> _configs = [];
    private readonly Dictionary<int, IReadOnlyList<HostDevice>> _groups = [];
    private IReadOnlyList<HostDevice>? _devices;
    private Dictionary<int, List<HoldingProcess>>? _holders;
    private Dictionary<string, string>? _blockDevices;
    private Dictionary<string, string>? _networks;
    private IReadOnlyList<HostMount>? _mounts;

    /// <summary>The running host.</summary>
    public HostView()
        : this(new Sysfs(), new Sysfs("/proc"))
    {
    }

    /// <summary>/sys.</summary>
    public Sysfs Sysfs => sysfs;

    /// <summary>All PCI functions, in order of address.</summary>
    public IReadOnlyList<HostDevice> Devices => _devices ??= HostDevice.InFolder(sysfs, FunctionsFolder);

    /// <summary>A file of /proc, or null.</summary>
    public string? Proc(string path)
    {
        if (!_procTexts.TryGetValue(path, out var text))
            _procTexts.Add(path, text = proc.TryReadText(path));
        return text;
    }

    /// <summary>A device file's path.</summary>
    public string DeviceFilePath(string name) => Path.Combine(dev, name);

    /// <summary>A function's folder in sysfs.</summary>
    public static string PathOf(PciAddress address) => $"{FunctionsFolder}/{address}";

    /// <summary>A file of a function, or null.</summary>
    public string? Text(PciAddress address, string file) => sysfs.TryReadText($"{PathOf(address)}/{file}");

    /// <summary>A function, or null.</summary>
    public HostDevice? Find(PciAddress address) => HostDevice.Find(sysfs, address);

    /// <summary>The members of an IOMMU group.</summary>
    public IReadOnlyList<HostDevice> InGroup(int group)
    {
        if (!_groups.TryGetValue(group, out var members))
            _groups.Add(group, members = HostDevice.InGroup(sysfs, group));
        return members;
    }

    /// <summary>A function's resources: BARs 0 to 5, the ROM, and others.</summary>
    public IReadOnlyList<PciResource> Resources(PciAddress address)
    {
        if (!_resources.TryGetValue(address, out var resources))
            _resources.Add(address, resources = PciResource.ParseAll(Text(address, "resource") ?? ""));
        return resources;
    }

    /// <summary>A function's config space, as far as this process may read it.</summary>
    public RecordedConfigSpace Config(PciAddress address)
    {
        if (!_configs.TryGetValue(address, out var config))
        {
            config = new RecordedConfigSpace(sysfs.ReadBytes($"{PathOf(address)}/config", Pci.Spec.Header.ExpressSize));
            _configs.Add(address, config);
        }
        return config;
    }

    /// <summary>The bridges above a function, the nearest first.</summary>
    public IReadOnlyList<HostDevice> BridgesAbove(PciAddress address)
    {
        var bridges = new List<HostDevice>();
        foreach (var part in (sysfs.ReadLink(PathOf(address)) ?? "").Split('/').AsEnumerable().Reverse().Skip(1))
        {
            if (PciAddress.TryParse(part, null, out var above) && Find(above) is { } bridge)
                bridges.Add(bridge);
        }
        return bridges;
    }

    /// <summary>The processes that have a group's file open, as far as this process may see them (proc(5)).</summary>
    public IReadOnlyList<HoldingProcess> Holders(int group) =>
        (_holders ??= FindHolders()).TryGetValue(group, out var holders) ? holders : [];

    /// <summary>The block devices of a function, as <c>nvme0n1p1</c>.</summary>
    /// <remarks>The disks of an NVMe subsystem are not below its controllers in sysfs, since several may lead to one
    /// (drivers/nvme/host/multipath.c).</remarks>
    public IEnumerable<string> BlockDevices(PciAddress address)
    {
        _blockDevices ??= Links("class/block");
        var subsystems = sysfs.List("class/nvme-subsystem").Where(subsystem => sysfs.List($"{PathOf(address)}/nvme")
            .Any(controller => sysfs.Exists($"class/nvme-subsystem/{subsystem}/{controller}")));
        return Below(_blockDevices, address.ToString()).Concat(subsystems.SelectMany(subsystem => Below(_blockDevices, subsystem)));
    }

    /// <summary>The network interfaces of a function.</summary>
    public IEnumerable<string> Networks(PciAddress address) => Below(_networks ??= Links("class/net"), address.ToString());

    /// <summary>The terminals of a function, such as a serial port, that are kernel consoles (Linux
    /// Documentation/ABI/testing/sysfs-tty).</summary>
    public IEnumerable<string> Consoles(PciAddress address) => (sysfs.TryReadText("class/tty/console/active") ?? "")
        .Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Where(console => (sysfs.ReadLink($"class/tty/{console}") ?? "").Contains($"/{address}/", StringComparison.Ordinal));

    /// <summary>The mounted file systems in this process's mount namespace.</summary>
    internal IReadOnlyList<HostMount> Mounts => _mounts ??= HostMount.ParseAll(Proc("self/mountinfo") ?? "");

    /// <summary>The kernel's name of a block device, as <c>dm-0</c> for /dev/mapper/root.</summary>
    internal string KernelNameOf(string file)
    {
        var path = file.StartsWith(DeviceFolder, StringComparison.Ordinal) ? DeviceFilePath(file[DeviceFolder.Length..]) : file;
        return Path.GetFileName(new FileInfo(path).LinkTarget ?? path);
    }

    /// <summary>The properties of a block device in udev's database (the lines that begin with E).</summary>
    internal IReadOnlyDictionary<string, string> UdevProperties(string blockDevice)
    {
        var properties = new Dictionary<string, string>();
        foreach (var line in (new Sysfs(udev).TryReadText($"b{sysfs.TryReadText($"class/block/{blockDevice}/dev")}") ?? "").Split('\n'))
        {
            if (line.StartsWith("E:", StringComparison.Ordinal) && line.IndexOf('=', StringComparison.Ordinal) is > 0 and var equals)
                properties[line[2..equals]] = line[(equals + 1)..];
        }
        return properties;
    }

    private Dictionary<string, string> Links(string folder)
    {
        var links = new Dictionary<string, string>();
        foreach (var name in sysfs.List(folder))
            links[name] = sysfs.ReadLink($"{folder}/{name}") ?? "";
        return links;
    }

    private static IEnumerable<string> Below(Dictionary<string, string> links, string folder) =>
        links.Where(link => link.Value.Contains($"/{folder}/", StringComparison.Ordinal))
            .Select(static link => link.Key)
            .Order(StringComparer.Ordinal);

    // The file is a group's, or a device's own as used with iommufd (Linux Documentation/driver-api/vfio.rst, "VFIO Device cdev").
    private int? GroupOfFile(string file)
    {
        if (!file.StartsWith(GroupFolder, StringComparison.Ordinal))
            return null;
        if (int.TryParse(file.AsSpan(GroupFolder.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var group))
            return group;
        return file.StartsWith(VfioDeviceFolder, StringComparison.Ordinal)
            && PciAddress.TryParse(sysfs.ReadLinkName($"class/vfio-dev/{file[VfioDeviceFolder.Length..]}/device"), null, out var address)
            ? Find(address)?.IommuGroup
            : null;
    }

    private Dictionary<int, List<HoldingProcess>> FindHolders()
    {
        var holders = new Dictionary<int, List<HoldingProcess>>();
        // Without VFIO or IOMMU groups there are no files to hold, and no need to search all processes.
        if (!Directory.Exists(DeviceFilePath("vfio")) || sysfs.List("kernel/iommu_groups").Count == 0)
            return holders;
        foreach (var name in proc.List("."))
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
                continue;
            foreach (var fd in proc.List($"{name}/fd"))
            {
                if (proc.ReadLink($"{name}/fd/{fd}") is not { } file || GroupOfFile(file) is not { } group)
                    continue;
                var holder = new HoldingProcess(id, proc.TryReadText($"{name}/comm") ?? "?");
                if (!holders.TryGetValue(group, out var list))
                    holders.Add(group, list = []);
                if (!list.Contains(holder))
                    list.Add(holder);
            }
        }
        return holders;
    }
}
