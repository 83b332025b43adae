using Hatchway.Configuration;
using Hatchway.Pci.Address;

namespace Hatchway.CommandLine;

/// <summary>A command's options and operands, in any order; only run, like bhyve, takes its options first.</summary>
internal sealed class Arguments
{
    /// <summary>The option that every command has.</summary>
    public static readonly Option Help = new("help", null, "this help");

    private readonly string _command;
    private readonly Dictionary<string, string> _options = [];
    private readonly List<string> _operands = [];

    public Arguments(string command, ReadOnlySpan<string> words, IReadOnlyList<Option> known)
    {
        _command = command;
        while (!words.IsEmpty)
        {
            var parsed = Getopt.Parse(command, words, [.. known, Help]);
            foreach (var (option, value) in parsed.Options)
                _options[option.Name] = value;
            var ended = words[..(words.Length - parsed.Operands.Count)] is [.., "--"];
            words = words[(words.Length - parsed.Operands.Count)..];
            var taken = ended ? words.Length : Math.Min(1, words.Length);
            _operands.AddRange(words[..taken]);
            words = words[taken..];
        }
    }

    public bool WantsHelp => Has(Help.Name);

    public int Count => _operands.Count;

    public bool Has(string option) => _options.ContainsKey(option);

    public string? Value(string option) => _options.GetValueOrDefault(option);

    public string Operand(int index, string what) => index < _operands.Count
        ? _operands[index]
        : throw new UserException($"{_command}: {what} is missing: 'hatchway {_command} --help' tells how");

    /// <summary>Refuses more operands than the command takes.</summary>
    public void NoMoreThan(int count)
    {
        if (_operands.Count > count)
            throw new UserException($"{_command}: '{_operands[count]}' is too much: 'hatchway {_command} --help' tells how");
    }

    /// <summary>Refuses options that have no meaning in a given use of the command.</summary>
    public void Refuse(string where, params ReadOnlySpan<string> options)
    {
        foreach (var option in options)
        {
            if (Has(option))
                throw new UserException($"{_command}: --{option} means nothing {where}: leave it out");
        }
    }

    public PciAddress Address(int index)
    {
        var text = Operand(index, "a PCI address");
        return PciAddress.TryParse(text, null, out var address)
            ? address
            : throw new UserException($"'{text}' is no PCI address: write it as 0000:00:06.0, or as bhyve does, 0/6/0");
    }

    /// <summary>All operands, each a PCI address; at least one.</summary>
    public IReadOnlyList<PciAddress> Addresses()
    {
        _ = Operand(0, "a PCI address");
        return [.. Enumerable.Range(0, Count).Select(Address)];
    }

    /// <summary>Reads a number as setpci and lspci write it: hexadecimal, with or without 0x.</summary>
    public static ulong Hexadecimal(string text, string what) => ConfigurationNode.TryHexadecimal(text, out var number)
        ? number
        : throw new UserException($"{what} '{text}': a hexadecimal number is wanted, as 10 or 0x10, of at most 16 digits");

    /// <summary>Writes a command's help.</summary>
    public static ExitStatus PrintHelp(string text, IReadOnlyList<Option> known)
    {
        Console.Out.WriteLine(text);
        Console.Out.WriteLine();
        foreach (var option in (Option[])[.. known, Help])
            Console.Out.WriteLine($"  {$"{option.Display} {option.Argument}",-20} {option.Help}");
        return CommandStatus.Success;
    }
}
