using Hatchway.Configuration;

namespace Hatchway.CommandLine;

/// <summary>The options of <c>hatchway run</c>, bhyve(8)'s and Hatchway's own long ones: each only writes to the configuration
/// tree.</summary>
internal static class Flags
{
    private static readonly (Option Option, Apply Write)[] Table =
    [
        (new("A", null, "ACPI tables: always there"), To("acpi_tables", "true")),
        (new("a", null, "no x2APIC for the guest"), To("x86.x2apic", "false")),
        (new("C", null, "guest memory in core files"), To("memory.guest_in_core", "true")),
        (new("c", "CPUS", "[cpus=]N[,sockets=N][,cores=N][,threads=N]: virtual CPUs, 1 by default"), TopologyFlag.Cpus),
        (new("D", null, "destroy the VM when it powers off: always so"), To("destroy_on_poweroff", "true")),
        (new("e", null, "end when the guest uses a port that nothing answers"), To("x86.strictio", "true")),
        (new("f", "NAME,DATA", "string=TEXT or file=PATH: a file of firmware's configuration"), OtherFlags.FirmwareFile),
        (new("G", "PORT", "debug server: not there"), OtherFlags.Debugger),
        (new("H", null, "yield the host CPU when the guest halts: so it is without it, too"), To("x86.vmexit_on_hlt", "true")),
        (new("h", null, "this text"), Nothing),
        (new("I", null, "I/O APIC: always there"), Nothing),
        (new("K", "LAYOUT", "keyboard layout: there is no keyboard"), To("keyboard.layout")),
        (new("k", "FILE", "read variables from FILE, a name=value in a line"),
            static (tree, value, _) => ConfigurationFile.Read(value, tree)),
        (new("l", "DEVICE", "an ISA device: com1,stdio; '-l help' lists them"), LpcFlag.Apply),
        (new("m", "SIZE", "memory, as 256M or 2G; 256M by default"), To("memory.size")),
        (new("n", "DOMAIN", "NUMA domain: not there"), Refuse("a guest of Hatchway's has no NUMA domains: leave it away")),
        (new("o", "NAME=VALUE", "set a variable of bhyve_config(5); config.dump=1 prints them all"), SetVariable),
        (new("P", null, "leave the guest when it spins: KVM does so by itself"), To("x86.vmexit_on_pause", "true")),
        (new("p", "VCPU:CPU", "let a virtual CPU run on this CPU of the host; several may be named"), TopologyFlag.Pin),
        (new("r", "FILE", "resume from a snapshot: not there"),
            Refuse("Hatchway makes no snapshots, and resumes none: start the guest anew")),
        (new("S", null, "keep the guest's memory locked"), To("memory.wired", "true")),
        (new("s", "SLOT", "[bus:]slot[:function],emulation[,conf]: a device; '-s help' lists them"), SlotFlag.Apply),
        (new("U", "UUID", "the guest's UUID"), To("uuid")),
        (new("u", null, "the guest's clock is in UTC, not in local time"), To("rtc.use_localtime", "false")),
        (new("W", null, "virtio devices with the interrupt pin, not MSI-X"), To("virtio_msix", "false")),
        (new("w", null, "let accesses to unknown MSRs pass"), To("x86.strictmsr", "false")),
        (new("x", null, "start with local APICs in x2APIC mode"), To("x86.x2apic", "true")),
        (new("Y", null, "no MP table: there never is one"), To("x86.mptable", "false")),
        (new("kernel", "FILE", "boot this kernel: a bzImage, or an ELF vmlinux with a PVH entry"), Own("hatchway.kernel")),
        (new("initrd", "FILE", "with this initial RAM disk"), Own("hatchway.initrd")),
        (new("cmdline", "TEXT", "and this command line"), OwnText("hatchway.cmdline")),
        (new("stats", "FILE", "write counters to FILE as JSON when the guest ends"), Own("hatchway.stats")),
        (new("no-sandbox", null, "let the process keep all its rights, to study it"), To("hatchway.sandbox", "false")),
        (new("verbose", null, "say what is done, on standard error"), To("hatchway.verbose", "true")),
        (new("help", null, "this text"), Nothing),
    ];

    private delegate void Apply(ConfigurationTree tree, string value, string origin);

    /// <summary>All options, for parsing and help.</summary>
    public static IReadOnlyList<Option> Known { get; } = Array.ConvertAll(Table, static entry => entry.Option);

    /// <summary>Makes the tree from the options and the guest's name. Later options override earlier ones.</summary>
    /// <exception cref="UserException">An option's argument is malformed, or the name is missing.</exception>
    public static ConfigurationTree ToTree(ParsedArguments arguments)
    {
        var tree = ConfigurationTree.WithDefaults();
        foreach (var (option, value) in arguments.Options)
        {
            var write = Array.Find(Table, entry => entry.Option.Name == option.Name).Write;
            write(tree, value, option.Argument is null ? option.Display : $"{option.Display} {value}");
        }
        switch (arguments.Operands)
        {
            case []:
                break;
            case [var name]:
                tree.Set("name", name, $"the guest's name '{name}'");
                break;
            default:
                throw new UserException(
                    $"'{arguments.Operands[1]}' after the guest's name '{arguments.Operands[0]}': "
                    + "options come before the name, and there is one name");
        }
        if (tree.Find("name") is null)
            throw new UserException("no name for the guest: it is the last word of the command line");
        return tree;
    }

    /// <summary>A line for each option without effect that leaves nothing in the tree.</summary>
    public static IEnumerable<string> WithoutEffect(ParsedArguments arguments)
    {
        if (arguments.Options.Any(static option => option.Option.Name == "I"))
            yield return "-I: without effect, there always is an I/O APIC";
    }

    private static Apply To(string name, string value) => (tree, _, origin) => tree.Set(name, value, origin);

    private static Apply To(string name) => (tree, value, origin) => tree.Set(name, value, origin);

    // Hatchway's own options, whose values are literal: percent signs in them are no references.
    private static Apply Own(string name) => (tree, value, origin) => tree.Set(name, VariableReferences.Quote(value), origin);

    // An empty text counts as not given.
    private static Apply OwnText(string name) => (tree, value, origin) =>
    {
        if (value.Length != 0)
            tree.Set(name, VariableReferences.Quote(value), origin);
    };

    private static Apply Refuse(string why) => (_, _, origin) => throw new UserException($"{origin}: {why}");

    private static void Nothing(ConfigurationTree tree, string value, string origin)
    {
    }

    private static void SetVariable(ConfigurationTree tree, string value, string origin) => ConfigurationFile.SetLine(value, origin, tree);
}
