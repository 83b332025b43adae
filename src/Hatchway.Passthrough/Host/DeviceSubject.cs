using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>What is asked of one function.</summary>
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

    /// <summary>Finds a function that is there, and no bridge.</summary>
    /// <exception cref="PassthroughException">It is not there, or is a bridge; one line says which.</exception>
    internal static DeviceSubject Existing(HostView view, PciAddress address)
    {
        var subject = At(view, address);
        foreach (var check in DeviceChecks.Identity)
            check.Look(subject)?.ThrowIfProblem();
        return subject;
    }

    /// <summary>What is said of a function that is not there.</summary>
    public string NotThere => $"{Address}: this host has no such PCI function; 'lspci -D' lists them";

    /// <summary>What is seen by looking, once a function is there.</summary>
    internal InspectedFunction Inspected
    {
        get => _inspected ??= InspectedFunction.Of(View, Device!);
        init => _inspected = value;
    }
}
