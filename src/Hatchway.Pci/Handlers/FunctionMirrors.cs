using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Handlers;

/// <summary>The mirrors of one function's config space: those of <see cref="KnownMirrors"/> and those that the user adds.</summary>
/// <remarks>One thread creates and binds them before the guest runs.</remarks>
public sealed class FunctionMirrors
{
    private readonly IHostFunction _host;
    private readonly BarHandlerList _handlers;
    private readonly List<ConfigMirror> _mirrors = [];

    /// <summary>Adds a function's known mirrors to its list of handlers, except those that do not fit their BAR.</summary>
    /// <exception cref="HandlerException">A mirror overlaps another handler.</exception>
    public FunctionMirrors(IHostFunction host, BarHandlerList handlers)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(handlers);
        _host = host;
        _handlers = handlers;
        var vendor = host.Config.ReadWord(Header.VendorId);
        var device = host.Config.ReadWord(Header.DeviceId);
        var baseClass = host.Config.ReadByte(Header.BaseClass);
        foreach (var known in KnownMirrors.For(vendor, device, baseClass))
        {
            if (host.Region(known.Bar) is { } region && known.Offset + known.Length <= region.Size)
                Add(known.Bar, known.Offset, known.Length, known.Name, PassedOn(known));
        }
    }

    /// <summary>Adds a mirror that the user gives.</summary>
    /// <param name="bar">The BAR.</param>
    /// <param name="offset">Offset in the BAR where config space begins.</param>
    /// <param name="length">Bytes, at least 1; registers beyond the function's config space stay the device's own.</param>
    /// <exception cref="HandlerException">The function does not have that BAR, or it is too small, or the mirror overlaps another
    /// handler.</exception>
    public void Add(BarIndex bar, ulong offset, ulong length) => Add(bar, offset, length, "config mirror", []);

    /// <summary>Makes the mirrors show the config space of the guest's function.</summary>
    public void Bind(IPciFunction function)
    {
        foreach (var mirror in _mirrors)
            mirror.Bind(function);
    }

    private void Add(BarIndex bar, ulong offset, ulong length, string name, IReadOnlyList<ConfigRange> passedOn)
    {
        var mirror = new ConfigMirror(passedOn);
        DeviceContext.AddRange(_host, _handlers, new BarHandlerRange(bar, offset, length, name, mirror), (ulong)_host.Config.Size);
        _mirrors.Add(mirror);
    }

    private List<ConfigRange> PassedOn(KnownMirror known)
    {
        var ranges = new List<ConfigRange>(known.Own);
        var chains = CapabilityWalker.Walk(_host.Config);
        if (known.MsiHeader && chains.Find(CapabilityId.Msi) is { } msi)
            ranges.Add(new ConfigRange(msi.Offset, CapabilityHeader.Bytes));
        ranges.AddRange(Unclaimed(_host.Config, chains));
        return ranges;
    }

    // Extended config space outside capabilities, where the drivers of such devices write device-specific registers (nouveau: g84_pci_init
    // changes bits of 41Ch). Through config space itself the guest may only read them, since their effects are not specified.
    private static IEnumerable<ConfigRange> Unclaimed(IHostConfigSpace config, CapabilityChains chains)
    {
        var at = Header.ConventionalSize;
        foreach (var capability in chains.Extended.OrderBy(static capability => capability.Offset))
        {
            if (capability.Offset > at)
                yield return new ConfigRange(at, capability.Offset - at);
            at = capability.Offset + AssignedRules.ClaimedLength(config, capability);
        }
        if (at < config.Size)
            yield return new ConfigRange(at, config.Size - at);
    }
}
