using Hatchway.Linux;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;

namespace Hatchway.Passthrough.Host;

/// <summary>A BAR that the kernel has placed anew.</summary>
/// <param name="Bar">Which.</param>
/// <param name="From">Where it was.</param>
/// <param name="To">Where it is.</param>
public sealed record MovedBar(BarIndex Bar, PciResource From, PciResource To);

/// <summary>Moves BARs that are smaller than a page, and share one, to pages of their own, so that a guest can map them.</summary>
/// <remarks>
/// The kernel places a function's BARs by its <c>resource_alignment</c> when it finds the function (drivers/pci/pci.c,
/// pci_reassigndev_resource_alignment): so it is removed and found again, and its driver lets go of it meanwhile. For one thread.
/// </remarks>
/// <param name="look">Looks at the host afresh.</param>
/// <param name="controls">Changes it.</param>
public sealed class OwnPages(Func<HostView> look, IHostControls controls)
{
    private const string Alignments = "bus/pci/resource_alignment";

    /// <summary>Moves what must be moved.</summary>
    /// <param name="address">A function.</param>
    /// <param name="force">Even when the host goes down with it.</param>
    /// <returns>What was moved; nothing where each BAR has its pages already.</returns>
    /// <exception cref="PassthroughException">It is in use, or a BAR can't be moved;
    /// it is where it was, or the message says otherwise.</exception>
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

    /// <summary>Memory BARs below a page that are trapped for that.</summary>
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
