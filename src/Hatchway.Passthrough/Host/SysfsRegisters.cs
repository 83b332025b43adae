using Hatchway.Linux;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>Accesses registers through sysfs (Linux Documentation/PCI/sysfs-pci.rst): the config space of any function, and the BARs of
/// one without a driver.</summary>
internal sealed class SysfsRegisters : IDeviceRegisters
{
    private readonly HostView _view;
    private readonly HostDevice _host;
    private readonly RegisterFile _config;
    private readonly Dictionary<BarIndex, RegisterFile> _files = [];
    private readonly Dictionary<BarIndex, MemoryMapping> _mappings = [];

    private SysfsRegisters(HostView view, HostDevice host, RegisterFile config, int configSize) =>
        (_view, _host, _config, ConfigSize) = (view, host, config, configSize);

    public int ConfigSize { get; }

    public static SysfsRegisters Open(HostView view, HostDevice host)
    {
        var path = view.Sysfs.PathOf($"{HostView.PathOf(host.Address)}/config");
        try
        {
            var size = (int)Math.Min(new FileInfo(path).Length, Pci.Spec.Header.ExpressSize);
            return new SysfsRegisters(view, host, RegisterFile.Open(path), size);
        }
        catch (LinuxException failure) when (failure.Errno is Errno.EACCES or Errno.EPERM)
        {
            throw new PassthroughException(
                $"{host.Address}: {failure.Message}: run as root, or bind it to vfio-pci and give yourself the right to its group",
                failure);
        }
        catch (LinuxException failure)
        {
            throw new PassthroughException($"{host.Address}: {failure.Message}", failure);
        }
    }

    public bool TryAccess(in RegisterAccess access, ref ulong value)
    {
        if (access.Bar is not { } bar)
            return TryAccess(_config, access, ref value);
        var resource = _view.Resources(_host.Address)[bar.Value];
        RefuseClaimed(bar, resource);
        if (!_files.TryGetValue(bar, out var file))
        {
            var name = $"{HostView.PathOf(_host.Address)}/resource{bar.Value}";
            _files.Add(bar, file = RegisterFile.Open(_view.Sysfs.PathOf(name)));
        }
        if (resource.IsPorts)
            return TryAccess(file, access, ref value);

        // The file maps whole pages, and a BAR smaller than a page may begin inside one.
        var inPage = resource.Start % GuestPage.Size;
        if (!_mappings.TryGetValue(bar, out var mapping))
            _mappings.Add(bar, mapping = file.Map(GuestPage.RoundUp(inPage + resource.Size)));
        if (access.Direction == AccessDirection.Read)
            value = mapping.ReadRegister(inPage + access.Offset, (int)access.Width);
        else
            mapping.WriteRegister(inPage + access.Offset, (int)access.Width, value);
        return true;
    }

    public void Dispose()
    {
        foreach (var mapping in _mappings.Values)
            mapping.Dispose();
        foreach (var file in _files.Values)
            file.Dispose();
        _config.Dispose();
    }

    private static bool TryAccess(RegisterFile file, in RegisterAccess access, ref ulong value) =>
        access.Direction == AccessDirection.Read
            ? file.TryRead(access.Offset, (int)access.Width, out value)
            : file.TryWrite(access.Offset, (int)access.Width, value);

    private void RefuseClaimed(BarIndex bar, PciResource resource)
    {
        // The driver is looked up each time, since one may have been bound since; one can still be bound between this and the access. The
        // claims are those that the view read first.
        var driver = _view.Sysfs.ReadLinkName($"{HostView.PathOf(_host.Address)}/driver");
        var owner = driver is null
            ? ResourceClaims.Owner(_view.Proc(resource.IsPorts ? "ioports" : "iomem") ?? "", _host.Address, resource)
            : $"the driver '{driver}'";
        if (owner is null)
            return;
        var remedy = driver is null ? "end that first" : $"'hatchway host reserve {_host.Address}' takes it from there";
        throw new PassthroughException($"{_host.Address}: {bar} is in use by {owner}: {remedy}");
    }
}
