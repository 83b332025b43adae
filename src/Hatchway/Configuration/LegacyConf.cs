namespace Hatchway.Configuration;

/// <summary>The conf in <c>-s slot,emulation,conf</c>, and how it is written to the tree. bhyve calls it a device's legacy
/// configuration.</summary>
/// <param name="tree">The tree.</param>
/// <param name="node">The device's node, as pci.0.3.0.</param>
/// <param name="origin">The whole option as typed, for messages.</param>
/// <param name="text">The conf; empty when there is none.</param>
internal sealed class LegacyConf(ConfigurationTree tree, string node, string origin, string text)
{
    /// <summary>The conf's parts between commas; none when there is no conf.</summary>
    public string[] Parts { get; } = text.Length == 0 ? [] : text.Split(',');

    /// <summary>The whole option as typed.</summary>
    public string Origin => origin;

    /// <summary>Sets one variable of the device.</summary>
    public void Set(string name, string value) => tree.Set($"{node}.{name}", value, origin);

    /// <summary>Appends to a list: <c>name.0</c>, <c>name.1</c>.</summary>
    public void Append(string name, string value)
    {
        for (var index = 0; ; index++)
        {
            var indexed = $"{node}.{name}.{index}";
            if (tree.Has(indexed))
                continue;
            tree.Set(indexed, value, origin);
            return;
        }
    }

    /// <summary>Sets a variable for each <c>name=value</c>; a bare name is set to true.</summary>
    public void Pairs(IEnumerable<string> parts)
    {
        foreach (var part in parts)
        {
            var (name, value) = Pair(part);
            Set(name, value ?? "true");
        }
    }

    /// <summary>Sets a variable for each part: bhyve's default for devices without a parser of their own.</summary>
    public void Pairs() => Pairs(Parts);

    /// <summary>Sets one variable from the first part, and others from the pairs that follow.</summary>
    public void FirstThenPairs(string name)
    {
        if (Parts.Length == 0)
            return;
        Set(name, Parts[0]);
        Pairs(Parts.Skip(1));
    }

    /// <summary>Splits a part into its name and the value after the equals sign, null without one.</summary>
    public static (string Name, string? Value) Pair(string part)
    {
        var equals = part.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? (part, null) : (part[..equals], part[(equals + 1)..]);
    }
}
