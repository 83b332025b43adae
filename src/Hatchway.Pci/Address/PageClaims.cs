namespace Hatchway.Pci.Address;

/// <summary>Decides who may map which pages of guest-physical memory, by what is in them.</summary>
/// <remarks>
/// <para>
/// A mapping is whole pages, and hides all that answers in them. So pages are an owner's to map as long as every byte that any target has
/// there is the owner's: where targets overlap, the one that came first answers.
/// </para>
/// <para>The caller holds one lock over a call and the matching change of the address space; claimants are told under it.</para>
/// </remarks>
public sealed class PageClaims
{
    // In the order in which they came: the first of those that overlap answers.
    private readonly List<Placed> _targets = [];
    private readonly List<PageClaim> _claims = [];

    /// <summary>Adds a target; whoever loses pages to it is told.</summary>
    /// <param name="start">First address.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <param name="target">Who; not there yet.</param>
    public void Add(ulong start, ulong length, IAddressTarget target)
    {
        _targets.Add(new Placed(start, start + (length - 1), target));
        TellChanges();
    }

    /// <summary>Removes a target and its claims; whoever gains pages by that is told.</summary>
    public void Remove(IAddressTarget target)
    {
        _targets.RemoveAll(placed => ReferenceEquals(placed.Target, target));
        _claims.RemoveAll(claim => ReferenceEquals(claim.Owner, target));
        TellChanges();
    }

    /// <summary>An owner asks for pages.</summary>
    /// <param name="start">First address, page-aligned.</param>
    /// <param name="length">Bytes, whole pages.</param>
    /// <param name="owner">A target that is there.</param>
    /// <param name="claimant">Who is told: at once, when the pages are not the owner's.</param>
    public void Claim(ulong start, ulong length, IAddressTarget owner, IPageClaimant claimant)
    {
        ArgumentNullException.ThrowIfNull(claimant);
        _claims.Add(new PageClaim(start, start + (length - 1), owner, claimant) { IsHeld = true });
        TellChanges();
    }

    // The losers first: no two may have a mapping over one page.
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
            // A later target is hidden by the owner, except where it extends beyond it.
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
