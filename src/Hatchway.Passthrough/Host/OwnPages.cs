using Hatchway.Linux;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Passthrough.Host;

/// <summary>A BAR that the kernel has moved.</summary>
/// <param name="Bar">The BAR.</param>
/// <param name="From">Its former addresses.</param>
/// <param name="To">Its new addresses.</param>
public sealed record MovedBar(BarIndex Bar, PciResource From, PciResource To);

/// <summary>Moves BARs that are smaller than a page and share one to pages of their own, so that they can be mapped into a
/// guest.</summary>
/// <remarks>
/// The kernel applies <c>resource_alignment</c> to a function's BARs only when it finds the function (drivers/pci/pci.c,
/// pci_reassigndev_resource_alignment). So the function is removed and found again, which unbinds its driver meanwhile. For one thread.
/// </remarks>
/// <param name="look">Takes a new view of the host.</param>
/// <param name="controls">Changes the host.</param>
public sealed class OwnPages(Func<HostView> look, IHostControls controls)
{
    private const string Alignments = "bus/pci/resource_alignment";

    /// <summary>Moves those BARs of a function that share a page.</summary>
    /// <param name="address">The function.</param>
    /// <param name="force">Moves them even when the host needs the function.</param>
    /// <returns>The BARs that were moved; empty when each has its pages already.</returns>
    /// <exception cref="PassthroughException">The function is in use, or a BAR can't be moved. Its BARs are where they were, unless the
    /// message says otherwise.</exception>
    public IReadOnlyList<MovedBar> Give(PciAddress address, bool force)
    {
        var view = look();
        var subject = DeviceSubject.Existing(view, address);
        var shared = Shared(subject);
        if (shared.Count == 0)
            return [];
        CheckMovable(subject, shared, force);
        var before = view.Resources(address);
        var former = view.Sysfs.TryReadText(Alignments) ?? "";
        try
        {
            var alignments = ((string[])[former, $"{GuestPage.Order}@{address}"]).Where(static part => part.Length > 0);
            controls.Write(Alignments, string.Join(';', alignments));
            FindAgain(address);
        }
        catch (LinuxException failure)
        {
            throw new PassthroughException($"{address}: {failure.Message}", failure);
        }
        var now = look();
        if (now.Find(address) is null)
        {
            throw new PassthroughException(
                $"{address} was removed to be found again, and was not: 'echo 1 > /sys/bus/pci/rescan' may bring it back");
        }
        var still = DeviceSubject.At(now, address);
        if (Shared(still).Concat(Homeless(still)).Distinct().ToList() is { Count: > 0 } stuck)
        {
            PutBack(address, former);
            throw new PassthroughException(
                $"{address}: the kernel did not move {string.Join(", ", stuck)}, "
                + "since there is no room below the bridge above it, or it is fixed: 'dmesg' says why");
        }
        var after = now.Resources(address);
        return [.. shared.Select(bar => new MovedBar(bar, before[bar.Value], after[bar.Value]))];
    }

    /// <summary>Lists the memory BARs that are smaller than a page and can't be mapped for that reason.</summary>
    internal static IReadOnlyList<BarIndex> Shared(DeviceSubject subject) => [.. subject.Inspected.Bars
        .Where(static bar => bar.Kind is BarKind.Memory32 or BarKind.Memory64 && bar.Size < GuestPage.Size
            && bar.Parts[0].Segment.Kind == SegmentKind.Trapped)
        .Select(static bar => bar.Index)];

    private static IEnumerable<BarIndex> Homeless(DeviceSubject subject) =>
        subject.Inspected.Bars.Where(static bar => bar.Address is null).Select(static bar => bar.Index);

    private static void CheckMovable(DeviceSubject subject, IReadOnlyList<BarIndex> bars, bool force)
    {
        // A virtual function's BARs lie within its physical function's VF BARs (PCIe 6.0 §9.3.3.14).
        if (subject.View.Sysfs.Exists($"{HostView.PathOf(subject.Address)}/physfn"))
        {
            throw new PassthroughException(
                $"{subject.Address}: {string.Join(", ", bars)} can't be moved, since it is a virtual function's");
        }
        if (subject.Device!.IommuGroup is { } group && subject.View.Holders(group) is { Count: > 0 } holders)
            throw new PassthroughException($"{subject.Address} is in use by {string.Join(", ", holders)}: end that first");
        Reservation.CheckLosses(subject, force);
    }

    private void FindAgain(PciAddress address)
    {
        controls.Write($"{HostView.PathOf(address)}/remove", "1");
        controls.Write($"class/pci_bus/{address.Domain:x4}:{address.Bus:x2}/rescan", "1");
    }

    private void PutBack(PciAddress address, string alignments)
    {
        try
        {
            controls.Write(Alignments, alignments);
            FindAgain(address);
        }
        catch (LinuxException failure)
        {
            throw new PassthroughException(
                $"{address}: its BARs could not be moved, nor could it be found again: {failure.Message}; "
                + "'echo 1 > /sys/bus/pci/rescan'",
                failure);
        }
    }
}
