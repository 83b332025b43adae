namespace Hatchway.Configuration;

/// <summary>The known variables, except devices' own, and the reasons why some have no effect here.</summary>
internal static class KnownVariables
{
    private const string FixedIdentity = "the bridge stays Intel's PIIX3";

    /// <summary>The value in bhyve's own dump; bhyve's firmware reads the configuration from a port that OVMF does not know.</summary>
    public const string BhyveFwcfg = "bhyve";

    private const string NoDebugger = "there is no debug server: use the guest's own, as kgdb over a second serial port";

    // A star stands for a number. NoEffect is null for a variable with an effect; else it says why there is none.
    private static readonly (string Pattern, string? NoEffect)[] Table =
    [
        ("name", null),
        ("cpus", null),
        ("sockets", null),
        ("cores", null),
        ("threads", null),
        ("vcpu.*.cpuset", null),
        ("memory.size", null),
        ("memory.wired", null),
        ("memory.guest_in_core", null),
        ("memory.hugepages", null),
        ("memory.prefault", null),
        ("config.dump", null),
        ("reboot", null),
        ("rtc.use_localtime", null),
        ("virtio_msix", null),
        ("x86.x2apic", null),
        ("x86.strictio", null),
        ("x86.strictmsr", null),
        ("x86.vmexit_on_hlt", null),
        ("lpc.com1.path", null),
        ("lpc.com2.path", null),
        ("lpc.com3.path", null),
        ("lpc.com4.path", null),
        ("lpc.bootrom", null),
        ("lpc.bootvars", null),
        ("lpc.fwcfg", null),
        ("fwcfg.*.name", null),
        ("fwcfg.*.string", null),
        ("fwcfg.*.file", null),
        ("uuid", null),
        ("bios.vendor", null),
        ("bios.version", null),
        ("bios.release_date", null),
        ("system.family_name", null),
        ("system.manufacturer", null),
        ("system.product_name", null),
        ("system.serial_number", null),
        ("system.sku", null),
        ("system.version", null),
        ("board.manufacturer", null),
        ("board.product_name", null),
        ("board.version", null),
        ("board.serial_number", null),
        ("board.asset_tag", null),
        ("board.location", null),
        ("chassis.manufacturer", null),
        ("chassis.version", null),
        ("chassis.serial_number", null),
        ("chassis.asset_tag", null),
        ("chassis.sku", null),
        ("hatchway.kernel", null),
        ("hatchway.initrd", null),
        ("hatchway.cmdline", null),
        ("hatchway.stats", null),
        ("hatchway.sandbox", null),
        ("hatchway.verbose", null),
        ("acpi_tables", "ACPI tables are always there"),
        ("acpi_tables_in_memory", "ACPI tables are in memory for a kernel, and firmware asks for them"),
        ("destroy_on_poweroff", "a VM of KVM's is gone when its process ends"),
        ("x86.vmexit_on_pause", "KVM notices by itself that a guest's CPU spins"),
        ("x86.mptable", "there never is an MP table, ACPI's tables say the same"),
        ("keyboard.layout", "a guest has no keyboard but its serial console"),
        ("lpc.pcireg.vendor", FixedIdentity),
        ("lpc.pcireg.device", FixedIdentity),
        ("lpc.pcireg.revid", FixedIdentity),
        ("lpc.pcireg.subvendor", FixedIdentity),
        ("lpc.pcireg.subdevice", FixedIdentity),
        ("gdb.address", NoDebugger),
        ("gdb.wait", NoDebugger),
    ];

    // Variables that are refused, since a user whose guest starts would believe that they took effect.
    private static readonly (string Name, string Why)[] RefusedTable =
    [
        ("gdb.port", NoDebugger),
        ("tpm.type", "there is no TPM for a guest"),
        ("tpm.path", "there is no TPM for a guest"),
        ("tpm.version", "there is no TPM for a guest"),
        ("lpc.pc-testdev", "there is no debug and test device"),
    ];

    /// <summary>All names, as docs/bhyve.md lists them.</summary>
    public static IEnumerable<string> Names =>
        Table.Select(static entry => entry.Pattern).Concat(RefusedTable.Select(static entry => entry.Name));

    /// <summary>Refuses variables that ask for something that a guest can't have.</summary>
    /// <exception cref="UserException">A variable does.</exception>
    public static void CheckRefused(ConfigurationTree tree)
    {
        foreach (var (name, why) in RefusedTable)
        {
            // As in bhyve, a port of 0 is no server, and a device may be switched off.
            if (tree.Text(name)?.ToUpperInvariant() is not (null or "0" or "FALSE" or "OFF" or "NO"))
                throw new UserException($"{tree.Root.Origin(name)}: {why}");
        }
    }

    /// <summary>A line for each setting of the user without effect.</summary>
    public static IEnumerable<string> WithoutEffect(ConfigurationTree tree)
    {
        var hasFirmware = tree.Text("lpc.bootrom") is not null;
        foreach (var setting in tree.All)
        {
            if (setting.Origin is { } origin && WhyWithoutEffect(setting.Name, hasFirmware) is { } why)
                yield return $"{origin}: without effect, {why}";
        }
        if (tree.Text("lpc.fwcfg") == BhyveFwcfg)
            yield return $"{tree.Root.Origin("lpc.fwcfg")}: without effect, firmware asks for the machine's description as on QEMU";
    }

    /// <summary>Variables that are neither known nor referred to by another value: likely typing errors.</summary>
    public static IEnumerable<Setting> Unknown(ConfigurationTree tree)
    {
        var used = new HashSet<string>(StringComparer.Ordinal);
        foreach (var setting in tree.All)
            used.UnionWith(VariableReferences.In(setting.Value));
        return tree.All.Where(setting => !IsOfSlot(setting.Name) && !IsKnown(setting.Name) && !used.Contains(setting.Name));
    }

    private static string? WhyWithoutEffect(string name, bool hasFirmware)
    {
        if (Matches("pci.*.*.*.bootindex", name))
            return "firmware is told no order of devices";
        if (hasFirmware && (Matches("pci.*.*.*.pcireg.vendor", name) || Matches("pci.*.*.*.pcireg.device", name)))
            return "with firmware the host bridge is Intel's i440FX, by which OVMF knows the machine";
        return Array.Find(Table, entry => Matches(entry.Pattern, name)).NoEffect;
    }

    private static bool IsKnown(string name) =>
        Array.Exists(Table, entry => Matches(entry.Pattern, name))
        || Array.Exists(RefusedTable, entry => Matches(entry.Name, name));

    // Variables below a slot belong to its device, which checks them itself.
    private static bool IsOfSlot(string name) => name.Split('.') is ["pci", _, _, _, _, ..];

    /// <summary>True when a name matches a pattern, in which a star stands for a number.</summary>
    public static bool Matches(string pattern, string name)
    {
        if (!pattern.Contains('*', StringComparison.Ordinal))
            return pattern == name;
        var (words, parts) = (pattern.Split('.'), name.Split('.'));
        if (words.Length != parts.Length)
            return false;
        for (var i = 0; i < words.Length; i++)
        {
            if (words[i] == "*" ? !parts[i].All(char.IsAsciiDigit) : words[i] != parts[i])
                return false;
        }
        return true;
    }
}
