namespace Hatchway.Pci.Address;

/// <summary>Decides which target may map which pages of guest-physical memory.</summary>
/// <remarks>
/// <para>
/// A mapping consists of whole pages, and hides every target in them. So an owner may map pages only while no other target answers for a
/// byte there. Where targets overlap, the one that was added first answers.
/// </para>
/// <para>The caller holds one lock during a call and the matching change of the address space; claimants are called under it.</para>
/// </remarks>
public sealed class PageClaims
{
    // In the order in which they were added: of those that overlap, the first answers.
    private readonly List<Placed> _targets = [];
    private readonly List<PageClaim> _claims = [];

    /// <summary>Adds a target, and calls the claimants that lose pages to it.</summary>
    /// <param name="start">First address.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="target">The target, which must not have been added yet.</param>
    public void Add(ulong start, ulong length, IAddressTarget target)
    {
        _targets.Add(new Placed(start, start + (length - 1), target));
        TellChanges();
    }

    /// <summary>Removes a target and its claims, and calls the claimants that gain pages by that.</summary>
    public void Remove(IAddressTarget target)
    {
        _targets.RemoveAll(placed => ReferenceEquals(placed.Target, target));
        _claims.RemoveAll(claim => ReferenceEquals(claim.Owner, target));
        TellChanges();
    }

    /// <summary>Adds a claim for pages.</summary>
    /// <param name="start">First address, page-aligned.</param>
    /// <param name="length">Bytes, whole pages.</param>
    /// <param name="owner">A target that has been added.</param>
    /// <param name="claimant">Called on each change; before this returns if the owner may not map the pages.</param>
    public void Claim(ulong start, ulong length, IAddressTarget owner, IPageClaimant claimant)
    {
        ArgumentNullException.ThrowIfNull(claimant);
        _claims.Add(new PageClaim(start, start + (length - 1), owner, claimant) { IsHeld = true });
        TellChanges();
    }

    // Losses come first, so that no page is ever mapped twice.
    private void TellChanges()
    {
        foreach (var claim in _claims)
        {
            if (claim.IsHeld && !IsOwners(claim))
            {
                claim.IsHeld = false;
                claim.Claimant.Lose();
            }
        }
        foreach (var claim in _claims)
        {
            if (!claim.IsHeld && IsOwners(claim))
            {
                claim.IsHeld = true;
                claim.Claimant.Gain();
            }
        }
    }

    private bool IsOwners(PageClaim claim)
    {
        var own = _targets.Find(placed => ReferenceEquals(placed.Target, claim.Owner));
        var isOlder = true;
        foreach (var other in _targets)
        {
            if (ReferenceEquals(other.Target, claim.Owner))
            {
                isOlder = false;
                continue;
            }
            var first = Math.Max(other.First, claim.First);
            var last = Math.Min(other.Last, claim.Last);
            // The owner hides a later target, except where that extends beyond the owner.
            if (first <= last && (isOlder || first < own.First || last > own.Last))
                return false;
        }
        return true;
    }

    private readonly record struct Placed(ulong First, ulong Last, IAddressTarget Target);

    private sealed record PageClaim(ulong First, ulong Last, IAddressTarget Owner, IPageClaimant Claimant)
    {
        public bool IsHeld { get; set; }
    }
}
