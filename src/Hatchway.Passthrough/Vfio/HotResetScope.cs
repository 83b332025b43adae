using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Vfio;

/// <summary>All functions of a slot or a bus, which a hot reset resets together, and what prevents that reset.</summary>
/// <remarks>
/// The kernel requires each of them to be bound to VFIO, and the caller to own all their groups (drivers/vfio/pci/vfio_pci_core.c,
/// vfio_pci_dev_set_hot_reset). It resets them without being asked when the last open one is closed, if each is bound to VFIO
/// (vfio_pci_dev_set_try_reset).
/// </remarks>
internal sealed class HotResetScope
{
    private readonly IReadOnlyList<Member> _members;

    /// <param name="domain">The PCI domain of all of them.</param>
    /// <param name="functions">All of them, as the kernel reports them.</param>
    /// <param name="hasGroup">Tells whether the guest has an IOMMU group.</param>
    /// <param name="find">Looks a function up on the host; gives null when it is gone.</param>
    public HotResetScope(
        uint domain, IReadOnlyList<DependentFunction> functions, Func<int, bool> hasGroup, Func<PciAddress, HostDevice?> find)
    {
        _members = [.. functions.Select(function =>
        {
            var address = new PciAddress(domain, function.Bus, function.Device, function.Function);
            return new Member(address, function.Group, hasGroup(function.Group), find(address));
        })];
        Groups = [.. functions.Select(static function => function.Group).Distinct()];
    }

    /// <summary>The IOMMU groups of all of them.</summary>
    public IReadOnlyList<int> Groups { get; }

    /// <summary>True when VFIO has all of them: the kernel then resets them when the last open one is closed, by any process.</summary>
    public bool IsVfios => _members.All(static member => member.IsVfios);

    /// <summary>True when the guest can request their reset, since VFIO has all of them and the guest all their groups.</summary>
    public bool IsGuests => IsVfios && _members.All(static member => member.IsGuests);

    /// <summary>The addresses of those whose groups the guest does not have.</summary>
    public string Foreign => Names(_members.Where(static member => !member.IsGuests));

    /// <summary>What prevents a reset, as text; empty when nothing does.</summary>
    public string Obstacles => string.Join(", ", _members.Where(static member => !member.IsVfios || !member.IsGuests).Select(Obstacle));

    /// <summary>What the user can do about it, starting with a colon; empty when there is nothing to do.</summary>
    public string Remedy
    {
        get
        {
            // VFIO takes no bridge.
            if (_members.Any(static member => member.Device is { IsBridge: true }))
                return "";
            var remedies = new List<string>();
            var unreserved = _members.Where(static member => !member.IsVfios).ToList();
            if (unreserved.Count > 0)
                remedies.Add($"'hatchway host reserve {string.Join(' ', unreserved.Select(static member => member.Address))}'");
            if (_members.Any(static member => !member.IsGuests))
                remedies.Add($"give {Foreign} to the same guest");
            return remedies.Count == 0 ? "" : $": {string.Join(", and ", remedies)}";
        }
    }

    /// <summary>True when a function is one of them.</summary>
    public bool Contains(PciAddress address) => _members.Any(member => member.Address == address);

    /// <summary>The addresses of all of them except one.</summary>
    public string OthersThan(PciAddress address) => Names(_members.Where(member => member.Address != address));

    private static string Names(IEnumerable<Member> members) => string.Join(", ", members.Select(static member => member.Address));

    private static string Obstacle(Member member) => member switch
    {
        { Device.IsBridge: true } => $"{member.Address} is a bridge, which VFIO does not take",
        { IsVfios: false, Device.Driver: { } driver } => $"{member.Address} is bound to the driver '{driver}'",
        { IsVfios: false } => $"{member.Address} is bound to no driver",
        _ => $"{member.Address} is in IOMMU group {member.Group}, which the guest does not have",
    };

    private sealed record Member(PciAddress Address, int Group, bool IsGuests, HostDevice? Device)
    {
        public bool IsVfios => Device is { IsBoundToVfio: true, IsBridge: false };
    }
}
