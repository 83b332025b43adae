using System.Globalization;

namespace Hatchway.CommandLine;

/// <summary>What <c>hatchway run</c> is asked to do, checked as far as the words themselves go.</summary>
internal sealed record RunOptions
{
    public const int MaximumCpus = 255;

    public static readonly IReadOnlyList<Option> Known =
    [
        new("c", "CPUS", "virtual CPUs, 1 by default"),
        new("m", "SIZE", "memory, as 256M or 2G; 256M by default"),
        new("s", "SLOT", "[bus:]slot[:function],emulation[,conf]: a device; '-s help' lists them"),
        new("l", "DEVICE", "an ISA device: com1,stdio; '-l help' lists them"),
        new("A", null, "ACPI tables: always there"),
        new("H", null, "yield the host CPU when the guest halts: always so"),
        new("I", null, "I/O APIC: always there"),
        new("P", null, "leave the guest when it spins: KVM does so by itself"),
        new("kernel", "FILE", "boot this kernel: a bzImage, or an ELF vmlinux with a PVH entry"),
        new("initrd", "FILE", "with this initial RAM disk"),
        new("cmdline", "TEXT", "and this command line"),
        new("stats", "FILE", "write counters to FILE as JSON when the guest ends"),
        new("verbose", null, "say what is done, on standard error"),
        new("help", null, "this text"),
    ];

    public required string Name { get; init; }
    public required int Cpus { get; init; }
    public required ulong MemoryBytes { get; init; }
    public required IReadOnlyList<SlotOption> Slots { get; init; }
    public required bool Com1OnStdio { get; init; }
    public required string Kernel { get; init; }
    public required string? Initrd { get; init; }
    public required string CommandLine { get; init; }
    public required string? StatisticsFile { get; init; }
    public required bool Verbose { get; init; }

    public const string LpcHelp =
        """
        -l device[,conf]   put a device behind the lpc bridge

        device   conf     what it is
        com1     stdio    first serial port, on this terminal; Ctrl-A x ends the guest, Ctrl-A Ctrl-A sends Ctrl-A
        """;

    /// <summary>Checks options against one another. Files are looked for, nothing is opened.</summary>
    public static RunOptions From(ParsedArguments arguments)
    {
        var cpus = 1;
        var memory = 256ul << 20;
        var slots = new List<SlotOption>();
        var com1 = false;
        var verbose = false;
        string? kernel = null, initrd = null, statistics = null, commandLine = null;
        foreach (var (option, value) in arguments.Options)
        {
            switch (option.Name)
            {
                case "c":
                    cpus = ParseCpus(value);
                    break;
                case "m":
                    memory = ParseMemory(value);
                    break;
                case "s":
                    slots.Add(SlotOption.Parse(value));
                    break;
                case "l":
                    com1 |= ParseLpcDevice(value);
                    break;
                case "kernel":
                    kernel = ExistingFile(option, value);
                    break;
                case "initrd":
                    initrd = ExistingFile(option, value);
                    break;
                case "cmdline":
                    commandLine = value;
                    break;
                case "stats":
                    statistics = value;
                    break;
                case "verbose":
                    verbose = true;
                    break;
                default:
                    break;
            }
        }
        CheckSlots(slots, com1);
        return new RunOptions
        {
            Name = Operand(arguments.Operands),
            Cpus = cpus,
            MemoryBytes = memory,
            Slots = slots,
            Com1OnStdio = com1,
            Kernel = kernel ?? throw new UserException("no kernel: give --kernel FILE; booting a disk by firmware is not there yet"),
            Initrd = initrd,
            CommandLine = commandLine ?? "",
            StatisticsFile = statistics,
            Verbose = verbose,
        };
    }

    private static string Operand(IReadOnlyList<string> operands) => operands switch
    {
        [] => throw new UserException("no name for the guest: it is the last word of the command line"),
        [var name] => name,
        _ => throw new UserException($"'{operands[1]}' after the guest's name '{operands[0]}': options come before the name, and there is one name"),
    };

    private static int ParseCpus(string text)
    {
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var cpus) || cpus is < 1 or > MaximumCpus)
            throw new UserException($"-c {text}: write a number of CPUs from 1 to {MaximumCpus}");
        return cpus;
    }

    private static ulong ParseMemory(string text)
    {
        var bytes = MemorySize.Parse(text);
        if (bytes == 0)
            throw new UserException($"-m {text}: a guest without memory can't start; give at least 32M");
        if (bytes < 32 << 20 || bytes % 4096 != 0)
            throw new UserException($"-m {text}: give at least 32M, in whole pages of 4 KiB");
        return bytes;
    }

    private static bool ParseLpcDevice(string text) => text switch
    {
        "com1,stdio" => true,
        _ => throw new UserException($"-l {text}: unknown; '-l help' lists what there is"),
    };

    private static string ExistingFile(Option option, string path)
    {
        if (Directory.Exists(path))
            throw new UserException($"{option.Display} {path}: is a directory, a file is needed");
        if (!File.Exists(path))
            throw new UserException($"{option.Display} {path}: no such file");
        return path;
    }

    private static void CheckSlots(List<SlotOption> slots, bool com1)
    {
        var seen = new HashSet<(int, int)>();
        var hosts = new HashSet<Pci.Address.PciAddress>();
        var lpc = 0;
        foreach (var slot in slots)
        {
            if (!seen.Add((slot.Slot, slot.Function)))
                throw new UserException($"slot {slot.Slot}:{slot.Function} is given twice: put one of the devices at another slot");
            if (slot.Emulation is PassthruSlot passthru && !hosts.Add(passthru.Host))
                throw new UserException($"{passthru.Host} is given twice: a device can be at one slot only");
            if (slot.Emulation is LpcSlot)
                lpc++;
        }
        if (lpc > 1)
            throw new UserException("lpc is given twice: a guest has one");
        if (com1 && lpc == 0)
            throw new UserException("-l com1 needs the lpc bridge: add -s 1:0,lpc");
        foreach (var slot in slots)
        {
            if (slot.Function != 0 && !seen.Contains((slot.Slot, 0)))
                throw new UserException($"slot {slot.Slot} has function {slot.Function} but no function 0: a guest would not see it");
        }
    }
}
