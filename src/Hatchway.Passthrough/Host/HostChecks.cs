using Hatchway.Linux;

namespace Hatchway.Passthrough.Host;

/// <summary>The host and the limits that its checks are about.</summary>
/// <param name="View">The host.</param>
/// <param name="MemoryBytes">RAM of the intended guest.</param>
/// <param name="LockLimit">Bytes that this process may lock in memory; <see cref="ulong.MaxValue"/> means no limit.</param>
/// <param name="LocksFreely">True when the process has the capability to lock more than that.</param>
public sealed record HostSubject(HostView View, ulong MemoryBytes, ulong LockLimit, bool LocksFreely)
{
    /// <summary>Creates the subject with this process's own limits.</summary>
    public static HostSubject ForThisProcess(HostView view, ulong memoryBytes) =>
        new(view, memoryBytes, ResourceLimits.MemoryLock.Soft, ResourceLimits.HasHostCapability(ResourceLimits.CapIpcLock));
}

/// <summary>The checks of the host as a whole.</summary>
public static class HostChecks
{
    internal const string SwitchIommuOn =
        "switch it on in the firmware (VT-d, AMD-Vi) and boot with intel_iommu=on (AMD's is on by itself)";
    internal const string NoIommu = "no IOMMU is in use";

    private static readonly (string Module, string Parameter, string Name)[] NestedPagingParameters =
    [
        ("kvm_intel", "ept", "nested paging (EPT)"),
        ("kvm_amd", "npt", "nested paging (NPT)"),
    ];

    // Options of the kernel's command line that disable the IOMMU (Linux Documentation/admin-guide/kernel-parameters.txt).
    private static readonly string[] IommuOff = ["intel_iommu=off", "amd_iommu=off", "iommu=off"];
    private static readonly string[] RemappingOff = ["nointremap", "intremap=off"];

    /// <summary>All checks of the host, each after those that it depends on.</summary>
    public static IReadOnlyList<Check<HostSubject>> All { get; } =
    [
        new("virtualisation", StopsRun: false, Virtualisation),
        new("KVM", StopsRun: true, Kvm),
        new("nested paging", StopsRun: true, NestedPaging),
        new("IOMMU hardware", StopsRun: false, IommuHardware),
        new("IOMMU", StopsRun: false, Iommu),
        new("IOMMU groups", StopsRun: false, IommuGroups),
        new("interrupt remapping", StopsRun: false, InterruptRemapping),
        new("VFIO", StopsRun: false, Vfio),
        MemoryLock,
    ];

    /// <summary>Checks that this process may lock the guest's RAM in memory, as DMA requires.</summary>
    /// <remarks>A guest without devices needs no locked RAM, unless its user asks for it.</remarks>
    public static Check<HostSubject> MemoryLock => new("memory lock", StopsRun: true, LookAtMemoryLock);

    private static Finding Virtualisation(HostSubject host)
    {
        foreach (var line in (host.View.Proc("cpuinfo") ?? "").AsSpan().EnumerateLines())
        {
            if (!line.StartsWith("flags"))
                continue;
            foreach (var range in line.Split(' '))
            {
                if (line[range] is "vmx" or "svm")
                    return Finding.Ok(line[range] is "vmx" ? "Intel VT-x (vmx)" : "AMD-V (svm)");
            }
            break;
        }
        // KVM can work without hardware support on a host that is itself a guest (arch/x86/kvm/pvm, not in Linux yet).
        if (DeviceFile.CanOpen(host.View.DeviceFilePath("kvm"), out _))
            return Finding.Ok("KVM works without vmx and svm");
        return Finding.Problem(
            "the processor offers no virtualisation (neither vmx nor svm)",
            "switch VT-x or SVM on in the firmware; in a guest, nested virtualisation on its host");
    }

    private static Finding Kvm(HostSubject host)
    {
        var kvm = host.View.DeviceFilePath("kvm");
        if (!File.Exists(kvm))
        {
            return Finding.Problem(
                $"{kvm} is not there",
                "load KVM with 'modprobe kvm_intel' or 'modprobe kvm_amd', and switch virtualisation on in the firmware");
        }
        return DeviceFile.CanOpen(kvm, out var errno)
            ? Finding.Ok($"{kvm} opens")
            : Finding.Problem($"{kvm} can't be opened ({errno})", "join its group with 'usermod -aG kvm $USER', or run as root");
    }

    private static Finding? NestedPaging(HostSubject host)
    {
        foreach (var (module, parameter, name) in NestedPagingParameters)
        {
            switch (host.View.Sysfs.TryReadText($"module/{module}/parameters/{parameter}"))
            {
                case "N" or "0":
                    return Finding.Problem(
                        $"{name} is off, and without it every page of a guest is shadowed",
                        $"'modprobe -r {module} && modprobe {module} {parameter}=1'");
                case "Y" or "1":
                    return Finding.Ok($"{name} is on");
                default:
                    break;
            }
        }
        return null;
    }

    // Looks for the firmware's DMA remapping table (VT-d specification §8.1) or I/O virtualisation reporting structure (AMD's §5.2).
    private static Finding IommuHardware(HostSubject host)
    {
        foreach (var table in (string[])["DMAR", "IVRS"])
        {
            if (host.View.Sysfs.Exists($"firmware/acpi/tables/{table}"))
                return Finding.Ok($"the firmware describes one (ACPI table {table})");
        }
        return HasIommu(host.View)
            ? Finding.Ok("the kernel has found one")
            : Finding.Problem(
                "the firmware describes none (no ACPI table DMAR or IVRS)", "switch VT-d or AMD-Vi (IOMMU) on in the firmware");
    }

    private static Finding Iommu(HostSubject host)
    {
        if (HasIommu(host.View))
            return Finding.Ok($"{string.Join(", ", host.View.Sysfs.List("class/iommu"))} in use");
        return Parameter(host.View, IommuOff) is { } off
            ? Finding.Problem($"{NoIommu}, since the kernel was booted with {off}", "boot without it")
            : Finding.Problem(NoIommu, SwitchIommuOn);
    }

    private static Finding IommuGroups(HostSubject host)
    {
        var groups = host.View.Sysfs.List("kernel/iommu_groups").Count;
        return groups > 0
            ? Finding.Ok($"{groups} group{(groups == 1 ? "" : "s")}")
            : Finding.Problem("there are none: no function can be isolated", SwitchIommuOn);
    }

    // In /proc/interrupts, the names of interrupt chips that remap begin with IR-. Without remapping, a device could raise any interrupt,
    // so VFIO refuses it (drivers/vfio/vfio_iommu_type1.c, vfio_iommu_type1_attach_group).
    private static Finding? InterruptRemapping(HostSubject host)
    {
        if (host.View.Proc("interrupts") is not { } interrupts)
            return null;
        if (interrupts.Contains(" IR-", StringComparison.Ordinal))
            return Finding.Ok("on");
        if (host.View.Sysfs.TryReadText("module/vfio_iommu_type1/parameters/allow_unsafe_interrupts") is "Y" or "1")
            return Finding.Note("off, and allowed to be: a guest could raise any interrupt of the host");
        return Parameter(host.View, RemappingOff) is { } off
            ? Finding.Problem($"off, since the kernel was booted with {off}", "boot without it")
            : Finding.Problem(
                "off, and VFIO gives no device away without it",
                "switch it on in the firmware (x2APIC, interrupt remapping); "
                + "where the guest is trusted, " + (host.View.Sysfs.Exists("module/vfio_iommu_type1")
                    ? "'echo 1 > /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts'"
                    : "'modprobe vfio_iommu_type1 allow_unsafe_interrupts=1'"));
    }

    private static Finding Vfio(HostSubject host)
    {
        var container = host.View.DeviceFilePath("vfio/vfio");
        var missing = ((string[])["vfio_pci", "vfio_iommu_type1"]).Where(module => !host.View.Sysfs.Exists($"module/{module}")).ToArray();
        if (missing.Length > 0)
        {
            return Finding.Problem(
                $"{string.Join(" and ", missing)} {(missing.Length == 1 ? "is" : "are")} not loaded",
                $"'modprobe -a {string.Join(' ', missing)}'");
        }
        if (!File.Exists(container))
            return Finding.Problem($"{container} is not there", "'modprobe vfio'");
        return DeviceFile.CanOpen(container, out var errno)
            ? Finding.Ok($"vfio_pci and vfio_iommu_type1 are loaded, {container} opens")
            : Finding.Problem($"{container} can't be opened ({errno})", $"'chmod 666 {container}': it gives no device away by itself");
    }

    private static Finding LookAtMemoryLock(HostSubject host)
    {
        var need = host.MemoryBytes >> 10;
        if (host.LocksFreely || host.LockLimit == ulong.MaxValue)
            return Finding.Ok("no limit");
        return host.LockLimit >= host.MemoryBytes
            ? Finding.Ok($"{host.LockLimit >> 10} KiB may be locked, a guest's RAM is {need} KiB")
            : Finding.Problem(
                $"for a device's DMA, or by -S, all of the guest's RAM is locked, {need} KiB, "
                + $"but this process may lock {host.LockLimit >> 10} KiB",
                $"'ulimit -l {need}', or 'memlock' in /etc/security/limits.conf");
    }

    internal static bool HasIommu(HostView view) => view.Sysfs.List("class/iommu").Count > 0;

    private static string? Parameter(HostView view, string[] parameters)
    {
        var given = (view.Proc("cmdline") ?? "").Split(' ');
        return Array.Find(parameters, parameter => given.Contains(parameter));
    }
}
