using Hatchway.Pci.Address;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>The guest's two address spaces, with the windows of a host bridge like a PC's.</summary>
internal sealed class FakeAddressMap(CallLog log) : IGuestAddressMap
{
    private static readonly (AddressSpaceKind Kind, ulong First, ulong Last)[] Bridge =
    [
        (AddressSpaceKind.Io, 0x1000, 0xFFFF),
        (AddressSpaceKind.Memory, 0xC000_0000, 0xFEBF_FFFF),
        (AddressSpaceKind.Memory, 0x10_0000_0000, 0x7F_FFFF_FFFF),
    ];

    private readonly List<(AddressSpaceKind Kind, ulong First, ulong Last, IAddressTarget Target)> _targets = [];

    private readonly PageClaims _claims = new();

    public int Count => _targets.Count;

    public bool TryMap(AddressSpaceKind kind, ulong start, ulong length, IAddressTarget target)
    {
        Assert.NotEqual(0ul, length);
        Assert.DoesNotContain(_targets, entry => ReferenceEquals(entry.Target, target));
        var last = start + (length - 1);
        if (last < start || !Bridge.Any(window => window.Kind == kind && window.First <= start && last <= window.Last))
            return false;
        _targets.Add((kind, start, last, target));
        log.Add($"map.add {kind} {start:x} {length:x}");
        if (kind == AddressSpaceKind.Memory)
            _claims.Add(start, length, target);
        return true;
    }

    public void Claim(ulong start, ulong length, IAddressTarget owner, IPageClaimant claimant)
    {
        Assert.Equal(0ul, (start | length) & 0xFFF);
        Assert.Contains(_targets, entry => ReferenceEquals(entry.Target, owner));
        _claims.Claim(start, length, owner, claimant);
    }

    public void Unmap(AddressSpaceKind kind, IAddressTarget target)
    {
        if (_targets.RemoveAll(entry => entry.Kind == kind && ReferenceEquals(entry.Target, target)) > 0)
            log.Add($"map.remove {kind}");
        _claims.Remove(target);
    }

    /// <summary>Reads as a guest does: all ones where nothing answers.</summary>
    public ulong Read(AddressSpaceKind kind, ulong address, AccessWidth width)
    {
        foreach (var (space, first, last, target) in _targets)
        {
            if (space == kind && first <= address && address + (uint)width - 1 <= last)
                return target.Read(address - first, width);
        }
        return width.AllOnes();
    }

    /// <summary>Writes as a guest does: dropped where nothing answers.</summary>
    public void Write(AddressSpaceKind kind, ulong address, AccessWidth width, ulong value)
    {
        foreach (var (space, first, last, target) in _targets)
        {
            if (space == kind && first <= address && address + (uint)width - 1 <= last)
            {
                target.Write(address - first, width, value);
                return;
            }
        }
    }
}
