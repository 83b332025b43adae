using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Host;

/// <summary>The results of all checks: why something can't be passed through, and what to do.</summary>
/// <param name="Results">In the checks' order; checks that do not apply are left out.</param>
public sealed record CheckReport(IReadOnlyList<CheckResult> Results)
{
    /// <summary>True when no check found a problem.</summary>
    public bool IsFit => !Problems.Any();

    /// <summary>The results that are problems.</summary>
    public IEnumerable<CheckResult> Problems => Results.Where(static result => result.Finding.Level == FindingLevel.Problem);

    /// <summary>Runs the checks of the host.</summary>
    public static CheckReport OfHost(HostSubject host) => Run(HostChecks.All, host);

    /// <summary>Runs the checks of one function.</summary>
    public static CheckReport OfDevice(HostView view, PciAddress address) => Run(DeviceChecks.All, DeviceSubject.At(view, address));

    /// <summary>Runs the checks of a function that was inspected before, except those that open a device file.</summary>
    public static CheckReport AtAGlance(HostView view, InspectedFunction function)
    {
        ArgumentNullException.ThrowIfNull(function);
        return Run(
            [.. DeviceChecks.All.Where(static check => !check.OpensFiles)],
            new DeviceSubject(view, function.Device.Address, function.Device) { Inspected = function });
    }

    private static CheckReport Run<T>(IReadOnlyList<Check<T>> checks, T subject)
    {
        var results = new List<CheckResult>();
        foreach (var check in checks)
        {
            if (check.Look(subject) is { } finding)
                results.Add(new CheckResult(check.Name, finding));
        }
        return new CheckReport(results);
    }
}
