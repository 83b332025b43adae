using System.Globalization;
using Hatchway.Linux;

namespace Hatchway.Passthrough.Tests.Host;

/// <summary>A folder that looks like /sys on a host, with its links (Linux Documentation/ABI/testing/sysfs-bus-pci).</summary>
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

    public void Dispose() => Directory.Delete(_root, recursive: true);

    /// <summary>An IOMMU, as <c>dmar0</c>.</summary>
    public SysfsTree WithIommu(string name = "dmar0")
    {
        Folder($"devices/virtual/iommu/{name}");
        Link($"class/iommu/{name}", $"../../devices/virtual/iommu/{name}");
        return this;
    }

    /// <summary>A module's parameter, as <c>module/kvm_intel/parameters/ept</c>.</summary>
    public SysfsTree WithParameter(string module, string parameter, string value)
    {
        Text($"module/{module}/parameters/{parameter}", value);
        return this;
    }

    /// <summary>A PCI function.</summary>
    /// <param name="address">As sysfs names it.</param>
    /// <param name="driver">Its driver's name, or null.</param>
    /// <param name="group">Its IOMMU group, or null.</param>
    /// <param name="classCode">Class code, 24 bits; that of an Ethernet controller unless told.</param>
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
        {
            Folder($"bus/pci/drivers/{driver}");
            Link($"{path}/driver", $"../../../bus/pci/drivers/{driver}");
        }
        if (group is { } number)
        {
            Folder($"kernel/iommu_groups/{number}/devices");
            Link($"{path}/iommu_group", $"../../../kernel/iommu_groups/{number}");
            Link($"kernel/iommu_groups/{number}/devices/{address}", $"../../../../{path}");
        }
        return this;
    }

    /// <summary>A device on another bus than PCI, in an IOMMU group.</summary>
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

    /// <summary>A PCI Express port or another PCI-to-PCI bridge.</summary>
    public SysfsTree WithBridge(string address, string? driver = null, int? group = null) =>
        WithFunction(address, driver, group, classCode: 0x06_04_00, headerType: 1);

    /// <summary>A file with one line.</summary>
    public SysfsTree Text(string path, string text)
    {
        Folder(Path.GetDirectoryName(path)!);
        File.WriteAllText(At(path), text + "\n");
        return this;
    }

    /// <summary>A file with bytes.</summary>
    public SysfsTree Bytes(string path, byte[] bytes)
    {
        File.WriteAllBytes(At(path), bytes);
        return this;
    }

    /// <summary>A folder, with those above it.</summary>
    public SysfsTree Folder(string path)
    {
        Directory.CreateDirectory(At(path));
        return this;
    }

    private void Link(string path, string target) => File.CreateSymbolicLink(At(path), target);

    private string At(string path) => Path.Combine(_root, path);
}
