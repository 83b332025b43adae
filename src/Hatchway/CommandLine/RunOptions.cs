using Hatchway.Configuration;
using Hatchway.Firmware;
using Hatchway.Vm;

namespace Hatchway.CommandLine;

/// <summary>The configuration of <c>hatchway run</c>, with its syntax checked.</summary>
internal sealed record RunOptions
{
    public required string Name { get; init; }
    public required CpuTopology Topology { get; init; }

    /// <summary>The host CPUs on which a vCPU may run, by its number; a vCPU that is not here may run on all.</summary>
    public required IReadOnlyDictionary<int, IReadOnlyList<int>> Pins { get; init; }
    public required MemoryOptions Memory { get; init; }
    public required IReadOnlyList<SlotOption> Slots { get; init; }
    public required IReadOnlyList<SerialPortOption> SerialPorts { get; init; }
    public required bool ClockInLocalTime { get; init; }

    /// <summary>True to start in x2APIC mode, false to hide it, null to leave it to the guest.</summary>
    public required bool? X2Apic { get; init; }

    /// <summary>True when an access to a port that nothing answers ends the guest.</summary>
    public required bool StrictPorts { get; init; }

    /// <summary>True when an access to an MSR that KVM does not know faults in the guest; else it is ignored.</summary>
    public required bool StrictMsrs { get; init; }

    /// <summary>True when a vCPU that halts leaves the host's CPU to others; else it keeps the CPU, and reacts sooner to an
    /// interrupt.</summary>
    public required bool ExitsOnHalt { get; init; }

    /// <summary>The kernel's file, or null with <see cref="Firmware"/>: exactly one of the two is set.</summary>
    public required string? Kernel { get; init; }

    /// <summary>Firmware, or null.</summary>
    public required FirmwareOptions? Firmware { get; init; }
    public required string? Initrd { get; init; }
    public required string CommandLine { get; init; }
    public required string? StatisticsFile { get; init; }
    public required bool Verbose { get; init; }

    /// <summary>True when the process drops all rights that its guest does not need.</summary>
    public required bool Sandboxed { get; init; }

    /// <summary>True when this process restarts a guest that reboots; else it ends with that status.</summary>
    public required bool RestartOnReboot { get; init; }

    /// <summary>The guest's identity in its SMBIOS tables.</summary>
    public required SmbiosOptions Smbios { get; init; }

    /// <summary>The whole configuration, for parts that read their own variables.</summary>
    public required ConfigurationTree Settings { get; init; }

    /// <summary>Lines about settings without effect, for <c>--verbose</c>.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>Lines about likely mistakes.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    public int Cpus => Topology.Cpus;

    /// <summary>True when a slot holds other functions beside this one.</summary>
    public bool IsMultiFunction(SlotOption slot) =>
        Slots.Any(other => other.Slot == slot.Slot && other.Function != slot.Function);

    /// <summary>Reads the configuration. It checks that files exist, but opens none.</summary>
    /// <exception cref="UserException">Something in it is wrong, or not available.</exception>
    public static RunOptions From(ConfigurationTree tree)
    {
        KnownVariables.CheckRefused(tree);
        var root = tree.Root;
        var topology = CpuTopology.From(tree);
        var pins = CpuPins.From(tree);
        var slots = SlotOption.From(tree);
        var ports = SerialPortOption.From(tree);
        if (ports.Count > 0 && !slots.Any(static slot => slot.Emulation is LpcSlot))
            throw new UserException($"{ports[0].Origin}: a serial port needs the lpc bridge: add -s 1:0,lpc");
        var kernel = ExistingFile(root, "hatchway.kernel");
        var firmware = FirmwareOptions.From(tree, kernel is not null);
        if (firmware is not null)
            FirmwareBoot.CheckSlots(slots);
        return new RunOptions
        {
            Name = root.Text("name") ?? throw new UserException("no name for the guest: it is the last word of the command line"),
            Topology = topology,
            Pins = pins,
            Memory = MemoryOptions.From(tree),
            Slots = slots,
            SerialPorts = ports,
            ClockInLocalTime = root.Flag("rtc.use_localtime", true),
            X2Apic = root.Find("x86.x2apic") is null ? null : root.Flag("x86.x2apic", false),
            StrictPorts = root.Flag("x86.strictio", false),
            StrictMsrs = root.Flag("x86.strictmsr", true),
            ExitsOnHalt = root.Flag("x86.vmexit_on_hlt", true),
            Kernel = kernel,
            Firmware = firmware,
            Initrd = ExistingFile(root, "hatchway.initrd"),
            CommandLine = root.Text("hatchway.cmdline") ?? "",
            StatisticsFile = root.Text("hatchway.stats"),
            Verbose = root.Flag("hatchway.verbose", false),
            Sandboxed = root.Flag("hatchway.sandbox", true),
            RestartOnReboot = Restarts(root),
            Smbios = SmbiosOptions.From(tree),
            Settings = tree,
            Notes = [.. KnownVariables.WithoutEffect(tree)],
            Warnings = [.. Warn(tree, pins, topology)],
        };
    }

    private static IEnumerable<string> Warn(ConfigurationTree tree, IReadOnlyDictionary<int, IReadOnlyList<int>> pins, CpuTopology topology)
    {
        foreach (var setting in KnownVariables.Unknown(tree))
            yield return $"{setting.Origin}: unknown variable {setting.Name}, ignored: docs/bhyve.md lists those that there are";
        foreach (var (vcpu, _) in pins)
        {
            if (vcpu >= topology.Cpus)
            {
                var origin = tree.Root.Origin($"vcpu.{vcpu}.cpuset");
                yield return $"{origin}: ignored, the guest has {topology.Cpus} CPUs, numbered from 0";
            }
        }
    }

    private static bool Restarts(ConfigurationNode root) => root.Text("reboot") switch
    {
        null or "exit" => false,
        "restart" => true,
        var other => throw new UserException($"{root.Origin("reboot")}: '{other}' is neither: write reboot=restart or reboot=exit"),
    };

    /// <summary>The existing file that a variable names; null when the variable is not set.</summary>
    /// <param name="root">All variables.</param>
    /// <param name="name">The variable.</param>
    /// <param name="instead">Ends the message about a missing file: what else the user can do.</param>
    /// <exception cref="UserException">There is no such file.</exception>
    public static string? ExistingFile(ConfigurationNode root, string name, string instead = "")
    {
        if (root.Text(name) is not { } path)
            return null;
        if (Directory.Exists(path))
            throw new UserException($"{root.Origin(name)}: {path} is a directory, a file is needed");
        if (!File.Exists(path))
            throw new UserException($"{root.Origin(name)}: {path}: no such file{instead}");
        return path;
    }
}
