using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>The function that the checks are about.</summary>
/// <param name="View">The host.</param>
/// <param name="Address">The function's address.</param>
/// <param name="Device">The function, or null when the host has none there.</param>
public sealed record DeviceSubject(HostView View, PciAddress Address, HostDevice? Device)
{
    private InspectedFunction? _inspected;

    /// <summary>Finds the function.</summary>
    public static DeviceSubject At(HostView view, PciAddress address)
    {
        ArgumentNullException.ThrowIfNull(view);
        return new DeviceSubject(view, address, view.Find(address));
    }

    /// <summary>Finds a function that must exist and must not be a bridge.</summary>
    /// <exception cref="PassthroughException">It does not exist, or is a bridge.</exception>
    internal static DeviceSubject Existing(HostView view, PciAddress address)
    {
        var subject = At(view, address);
        foreach (var check in DeviceChecks.Identity)
            check.Look(subject)?.ThrowIfProblem();
        return subject;
    }

    /// <summary>The message about a function that does not exist.</summary>
    public string NotThere => $"{Address}: this host has no such PCI function; 'lspci -D' lists them";

    /// <summary>The function in detail, inspected on first use. The function must exist.</summary>
    internal InspectedFunction Inspected
    {
        get => _inspected ??= InspectedFunction.Of(View, Device!);
        init => _inspected = value;
    }
}
