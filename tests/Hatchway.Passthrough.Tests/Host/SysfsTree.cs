using System.Globalization;
using System.Net.Sockets;
using Hatchway.Linux;
using Hatchway.Passthrough.Host;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>A folder laid out like a host's /sys, with its links (Linux Documentation/ABI/testing/sysfs-bus-pci), and folders beside it
/// like /proc and /dev.</summary>
internal sealed class SysfsTree : IDisposable
{
    private const int ConfigBytes = 64;
    private const int HeaderTypeOffset = 0x0E;
    private readonly string _root = Directory.CreateTempSubdirectory("hatchway-sysfs-").FullName;

    public SysfsTree()
    {
        Folder("bus/pci/devices");
        Folder("class/iommu");
    }

    public Sysfs Sysfs => new(_root);

    /// <summary>A folder in place of /dev.</summary>
    public string Dev => Directory.CreateDirectory($"{_root}-dev").FullName;

    /// <summary>A new view, which has read nothing yet.</summary>
    public HostView View => new(Sysfs, new Sysfs($"{_root}-proc"), Dev, $"{_root}-udev");

    public void Dispose()
    {
        foreach (var folder in (string[])[_root, $"{_root}-dev", $"{_root}-proc", $"{_root}-udev"])
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Adds a file of /proc.</summary>
    public SysfsTree WithProc(string path, string text)
    {
        var file = Path.Combine($"{_root}-proc", path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        return this;
    }

    /// <summary>Adds a process that has a file open.</summary>
    public SysfsTree WithProcess(int id, string name, string file)
    {
        WithProc($"{id}/comm", $"{name}\n");
        Directory.CreateDirectory(Path.Combine($"{_root}-proc", $"{id}/fd"));
        File.CreateSymbolicLink(Path.Combine($"{_root}-proc", $"{id}/fd/7"), file);
        return this;
    }

    /// <summary>Adds a device file that can be opened.</summary>
    public SysfsTree WithDeviceFile(string name)
    {
        var file = Path.Combine(Dev, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, "");
        return this;
    }

    /// <summary>Adds a device file that can't be opened by any user: a socket's (open(2), ENXIO),
    /// since root bypasses permissions.</summary>
    public SysfsTree WithClosedDeviceFile(string name)
    {
        var file = Path.Combine(Dev, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            socket.Bind(new UnixDomainSocketEndPoint(file));
            // Closing the socket removes the file of that name.
            File.Move(file, $"{file}-kept");
        }
        File.Move($"{file}-kept", file);
        return this;
    }

    /// <summary>Adds an IOMMU, as <c>dmar0</c>.</summary>
    public SysfsTree WithIommu(string name = "dmar0")
    {
        Folder($"devices/virtual/iommu/{name}");
        Link($"class/iommu/{name}", $"../../devices/virtual/iommu/{name}");
        return this;
    }

    /// <summary>Adds a module's parameter, as <c>module/kvm_intel/parameters/ept</c>.</summary>
    public SysfsTree WithParameter(string module, string parameter, string value)
    {
        Text($"module/{module}/parameters/{parameter}", value);
        return this;
    }

    /// <summary>Adds a PCI function.</summary>
    /// <param name="address">As sysfs names it.</param>
    /// <param name="driver">Its driver's name, or null.</param>
    /// <param name="group">Its IOMMU group, or null.</param>
    /// <param name="classCode">Class code, 24 bits; by default that of an Ethernet controller.</param>
    /// <param name="headerType">The header's layout and the multi-function bit; 1 for a bridge.</param>
    public SysfsTree WithFunction(
        string address, string? driver = null, int? group = null, uint classCode = 0x02_00_00, byte headerType = 0)
    {
        var path = $"devices/pci0000:00/{address}";
        Text($"{path}/vendor", "0x8086");
        Text($"{path}/device", "0x10fb");
        Text($"{path}/class", string.Create(CultureInfo.InvariantCulture, $"0x{classCode:x6}"));
        var config = new byte[ConfigBytes];
        config[HeaderTypeOffset] = headerType;
        File.WriteAllBytes(At($"{path}/config"), config);
        Link($"bus/pci/devices/{address}", $"../../../{path}");
        if (driver is not null)
            Bind(address, driver);
        if (group is { } number)
        {
            Folder($"kernel/iommu_groups/{number}/devices");
            Link($"{path}/iommu_group", $"../../../kernel/iommu_groups/{number}");
            Link($"kernel/iommu_groups/{number}/devices/{address}", $"../../../../{path}");
        }
        return this;
    }

    /// <summary>Binds a driver to a function that has none.</summary>
    public SysfsTree Bind(string address, string driver)
    {
        Folder($"bus/pci/drivers/{driver}");
        Link($"{PathOf(address)}/driver", $"../../../bus/pci/drivers/{driver}");
        return this;
    }

    /// <summary>Unbinds a function's driver.</summary>
    public void Unbind(string address) => Directory.Delete(At($"{PathOf(address)}/driver"));

    /// <summary>Removes a function with all its files.</summary>
    public void Remove(string address)
    {
        var group = Sysfs.ReadLinkName($"{PathOf(address)}/iommu_group");
        Directory.Delete(At($"kernel/iommu_groups/{group}/devices/{address}"));
        Directory.Delete(At($"bus/pci/devices/{address}"));
        Directory.Delete(At(PathOf(address)), recursive: true);
    }

    /// <summary>Adds udev's record of a block device, by its number.</summary>
    public SysfsTree WithUdev(string number, params string[] properties)
    {
        Directory.CreateDirectory($"{_root}-udev");
        File.WriteAllLines($"{_root}-udev/b{number}", properties.Select(static property => $"E:{property}"));
        return this;
    }

    /// <summary>Adds a link to a device file.</summary>
    public SysfsTree WithDeviceLink(string name, string target)
    {
        var file = Path.Combine(Dev, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.CreateSymbolicLink(file, target);
        return this;
    }

    /// <summary>Adds a device on another bus than PCI, in an IOMMU group.</summary>
    public SysfsTree WithForeign(string name, string bus, string? driver, int group)
    {
        Folder($"devices/{bus}/{name}");
        Folder($"kernel/iommu_groups/{group}/devices");
        Folder($"bus/{bus}/drivers");
        Link($"devices/{bus}/{name}/subsystem", $"../../../bus/{bus}");
        Link($"kernel/iommu_groups/{group}/devices/{name}", $"../../../../devices/{bus}/{name}");
        if (driver is not null)
        {
            Folder($"bus/{bus}/drivers/{driver}");
            Link($"devices/{bus}/{name}/driver", $"../../../bus/{bus}/drivers/{driver}");
        }
        return this;
    }

    /// <summary>Adds a PCI Express port or another PCI-to-PCI bridge.</summary>
    public SysfsTree WithBridge(string address, string? driver = null, int? group = null) =>
        WithFunction(address, driver, group, classCode: 0x06_04_00, headerType: 1);

    /// <summary>Writes a file with one line.</summary>
    public SysfsTree Text(string path, string text)
    {
        Folder(Path.GetDirectoryName(path)!);
        File.WriteAllText(At(path), text + "\n");
        return this;
    }

    /// <summary>Writes a file with bytes.</summary>
    public SysfsTree Bytes(string path, byte[] bytes)
    {
        File.WriteAllBytes(At(path), bytes);
        return this;
    }

    /// <summary>Makes a folder and those above it.</summary>
    public SysfsTree Folder(string path)
    {
        Directory.CreateDirectory(At(path));
        return this;
    }

    /// <summary>A function's folder.</summary>
    public static string PathOf(string address) => $"devices/pci0000:00/{address}";

    /// <summary>Writes a file of an existing function.</summary>
    public SysfsTree WithText(string address, string file, string text) => Text($"{PathOf(address)}/{file}", text);

    /// <summary>Writes a function's whole config space.</summary>
    public SysfsTree WithConfig(string address, byte[] config) => Bytes($"{PathOf(address)}/config", config);

    /// <summary>Writes a function's <c>resource</c> file; resources that are not given are absent.</summary>
    public SysfsTree WithResources(string address, params (int Index, ulong Start, ulong Size, ulong Flags)[] resources)
    {
        var lines = Enumerable.Repeat("0x0000000000000000 0x0000000000000000 0x0000000000000000", 13).ToArray();
        foreach (var (index, start, size, flags) in resources)
            lines[index] = string.Create(CultureInfo.InvariantCulture, $"0x{start:x16} 0x{start + size - 1:x16} 0x{flags:x16}");
        return WithText(address, "resource", string.Join('\n', lines));
    }

    /// <summary>Moves an existing function below an existing bridge.</summary>
    public SysfsTree Below(string bridge, string address)
    {
        Directory.Delete(At($"bus/pci/devices/{address}"));
        Link($"bus/pci/devices/{address}", $"../../../devices/pci0000:00/{bridge}/{address}");
        File.CreateSymbolicLink(At($"{PathOf(bridge)}/{address}"), $"../{address}");
        return this;
    }

    /// <summary>Adds a function's block device or network interface.</summary>
    public SysfsTree WithClassDevice(string kind, string name, string address)
    {
        Folder($"class/{kind}").Folder($"{PathOf(address)}/{kind}/{name}");
        Link($"class/{kind}/{name}", $"../../{PathOf(address)}/{kind}/{name}");
        return this;
    }

    /// <summary>Makes a link.</summary>
    public SysfsTree Link(string path, string target)
    {
        File.CreateSymbolicLink(At(path), target);
        return this;
    }

    private string At(string path) => Path.Combine(_root, path);
}
