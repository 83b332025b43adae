using System.Globalization;

namespace Hatchway.Configuration;

/// <summary>A part of the configuration: the variables below a name. A device reads its own settings from one.</summary>
/// <example><c>node.Text("path")</c> in the node <c>pci.0.3.0</c> is the value of <c>pci.0.3.0.path</c>.</example>
internal sealed record ConfigurationNode
{
    private readonly ConfigurationTree _tree;
    private readonly string _prefix;

    /// <param name="tree">The whole tree.</param>
    /// <param name="prefix">The node's name and a dot; empty for the root.</param>
    public ConfigurationNode(ConfigurationTree tree, string prefix) => (_tree, _prefix) = (tree, prefix);

    /// <summary>The last part of its name: "0" for pci.0.3.0.</summary>
    public string Name => _prefix.Length == 0 ? "" : _prefix[(_prefix.LastIndexOf('.', _prefix.Length - 2) + 1)..^1];

    /// <summary>All variables in it and below, with their full names, sorted.</summary>
    public IEnumerable<Setting> All
    {
        get
        {
            var prefix = _prefix;
            return _tree.All.Where(setting => setting.Name.StartsWith(prefix, StringComparison.Ordinal));
        }
    }

    /// <summary>The nodes directly below it: numbered ones first, in numeric order, then the others.</summary>
    public IReadOnlyList<ConfigurationNode> Children
    {
        get
        {
            var names = new List<string>();
            foreach (var setting in All)
            {
                var end = setting.Name.IndexOf('.', _prefix.Length);
                if (end < 0)
                    continue;
                var name = setting.Name[_prefix.Length..end];
                // The tree is sorted, so the variables of a node are consecutive.
                if (names.Count == 0 || names[^1] != name)
                    names.Add(name);
            }
            names.Sort(static (one, other) =>
                Rank(one).CompareTo(Rank(other)) is not 0 and var order ? order : string.CompareOrdinal(one, other));
            return names.ConvertAll(Node);
        }
    }

    private static int Rank(string name) =>
        int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : int.MaxValue;

    /// <summary>A node below it, which may be empty.</summary>
    public ConfigurationNode Node(string name) => _tree.Node(_prefix + name);

    /// <summary>A variable's name relative to this node: "path" for pci.0.3.0.path.</summary>
    public string Relative(Setting setting) => setting.Name[_prefix.Length..];

    /// <summary>A variable, or null when it is not set.</summary>
    public Setting? Find(string name) => _tree.Find(_prefix + name);

    /// <summary>What the user typed for a variable, for messages; its name when it is a default or not set.</summary>
    public string Origin(string name) => Find(name)?.Origin ?? _prefix + name;

    /// <summary>What the user typed for this node, for messages.</summary>
    public string Origin() =>
        All.Select(static setting => setting.Origin).FirstOrDefault(static origin => origin is not null) ?? _prefix.TrimEnd('.');

    /// <summary>A variable's value with references replaced, or null when it is not set.</summary>
    /// <exception cref="UserException">A reference names nothing.</exception>
    public string? Text(string name) => Find(name) is { } setting ? VariableReferences.Expand(setting, _tree) : null;

    /// <summary>A variable's truth value: true, on, yes and 1, or false, off, no and 0, in either case.</summary>
    /// <exception cref="UserException">It is none of these.</exception>
    public bool Flag(string name, bool otherwise)
    {
        var text = Text(name);
        return text?.ToUpperInvariant() switch
        {
            null => otherwise,
            "TRUE" or "ON" or "YES" or "1" => true,
            "FALSE" or "OFF" or "NO" or "0" => false,
            _ => throw new UserException(
                $"{Origin(name)}: '{text}' is neither true nor false: write true, on, yes or 1; or false, off, no or 0"),
        };
    }

    /// <summary>A variable's number, as strtol(3) reads it: 0x before hexadecimal digits, 0 before octal ones.
    /// Null when the variable is not set.</summary>
    /// <exception cref="UserException">It is not a number, or out of range.</exception>
    public int? Number(string name, int least, int most)
    {
        if (Text(name) is not { } text)
            return null;
        if (TryNumber(text, out var number) && number >= least && number <= most)
            return number;
        throw new UserException($"{Origin(name)}: {_prefix}{name} must be a number from {least} to {most}, not '{text}'");
    }

    /// <summary>A variable's non-negative number, always hexadecimal, with or without 0x; null when it is not set.</summary>
    /// <exception cref="UserException">It is not such a number, or larger than <paramref name="most"/>.</exception>
    public int? Hexadecimal(string name, int most)
    {
        if (Text(name) is not { } text)
            return null;
        if (TryHexadecimal(text, out var number) && number <= (ulong)most)
            return (int)number;
        throw new UserException($"{Origin(name)}: {_prefix}{name} must be a hexadecimal number up to {most:X}, not '{text}'");
    }

    /// <summary>Reads a hexadecimal number of at most 16 digits, with or without 0x.</summary>
    public static bool TryHexadecimal(string text, out ulong number)
    {
        var digits = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? text.AsSpan(2) : text;
        return ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>Reads a number as strtol(3) does with base 0, without a sign.</summary>
    public static bool TryNumber(string text, out int number)
    {
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return int.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number) && number >= 0;
        if (text is not ['0', _, ..])
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        number = 0;
        foreach (var digit in text)
        {
            if (digit is < '0' or > '7' || number > int.MaxValue / 8)
                return false;
            number = (8 * number) + (digit - '0');
        }
        return true;
    }
}
