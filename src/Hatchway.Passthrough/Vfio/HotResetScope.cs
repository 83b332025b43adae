using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Vfio;

/// <summary>All functions of a slot or a bus, which a hot reset resets together, and what is in its way.</summary>
/// <remarks>
/// The kernel wants each of them bound to VFIO, and who asks to have all their groups (drivers/vfio/pci/vfio_pci_core.c,
/// vfio_pci_dev_set_hot_reset). When the last of them that is open is closed it resets them by itself, if each is bound to VFIO
/// (vfio_pci_dev_set_try_reset).
/// </remarks>
internal sealed class HotResetScope
{
    private readonly IReadOnlyList<Member> _members;

    /// <param name="domain">The domain of all.</param>
    /// <param name="functions">All of them, as the kernel has told.</param>
    /// <param name="hasGroup">Whether an IOMMU group is the guest's.</param>
    /// <param name="find">What the host knows of a function; null when it is gone.</param>
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

    /// <summary>The IOMMU groups of all.</summary>
    public IReadOnlyList<int> Groups { get; }

    /// <summary>True when the host resets them as the last of them that is open is closed, whoever has it.</summary>
    public bool IsVfios => _members.All(static member => member.IsVfios);

    /// <summary>True when the guest can have them reset, and nobody else has any.</summary>
    public bool IsGuests => IsVfios && _members.All(static member => member.IsGuests);

    /// <summary>The functions that are not the guest's.</summary>
    public string Foreign => Names(_members.Where(static member => !member.IsGuests));

    /// <summary>What is in the way; empty for nothing.</summary>
    public string Obstacles => string.Join(", ", _members.Where(static member => !member.IsVfios || !member.IsGuests).Select(Obstacle));

    /// <summary>What to do about it, after a colon; empty when there is nothing to do.</summary>
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

    /// <summary>True for a function that is one of them.</summary>
    public bool Contains(PciAddress address) => _members.Any(member => member.Address == address);

    /// <summary>All of them but one.</summary>
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
