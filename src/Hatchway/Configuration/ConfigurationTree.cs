using System.Text;

namespace Hatchway.Configuration;

/// <summary>bhyve_config(5)'s tree of variables: every option of the command line writes to it, and the guest is made from
/// it.</summary>
/// <remarks>
/// A name is words with dots between them. A name with a value has no names below it. A later value replaces an earlier one. For one
/// thread, before the guest runs.
/// </remarks>
internal sealed class ConfigurationTree
{
    private readonly SortedList<string, Setting> _settings = new(StringComparer.Ordinal);

    /// <summary>Makes a tree with the values that bhyve sets before it reads its command line.</summary>
    public static ConfigurationTree WithDefaults()
    {
        var tree = new ConfigurationTree();
        tree.Set("acpi_tables", "true");
        tree.Set("memory.size", "256M");
        tree.Set("x86.strictmsr", "true");
        return tree;
    }

    /// <summary>All variables, sorted by name.</summary>
    public IEnumerable<Setting> All => _settings.Values;

    /// <summary>The whole tree as a node.</summary>
    public ConfigurationNode Root => new(this, "");

    /// <summary>Sets a variable's value.</summary>
    /// <param name="name">The full dotted name.</param>
    /// <param name="value">One line; not empty, since a file of variables can't express that.</param>
    /// <param name="origin">What the user typed; null for a default.</param>
    /// <exception cref="UserException">The name or the value is malformed, or conflicts with another name.</exception>
    public void Set(string name, string value, string? origin = null)
    {
        var said = origin ?? name;
        if (!IsName(name))
        {
            throw new UserException(
                $"{said}: '{name}' is no name of a variable: write words of letters, digits, - and _ with dots between them");
        }
        if (value.Length == 0)
            throw new UserException($"{said}: {name} needs a value");
        if (value.AsSpan().ContainsAny('\n', '\r', '\0'))
            throw new UserException($"{said}: the value of {name} must be one line");
        if (Below(name) is { } below)
            throw new UserException($"{said}: {name} can't have a value, because {below.Name} is below it");
        for (var dot = name.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = name.IndexOf('.', dot + 1))
        {
            if (_settings.TryGetValue(name[..dot], out var above))
                throw new UserException($"{said}: {name} can't be, because {above.Name} has a value: {above.Origin ?? above.Value}");
        }
        _settings[name] = new Setting(name, value, origin);
    }

    /// <summary>A variable, or null when it is not set.</summary>
    public Setting? Find(string name) => _settings.GetValueOrDefault(name);

    /// <summary>A variable's value with references replaced, or null when it is not set.</summary>
    /// <exception cref="UserException">A reference names nothing.</exception>
    public string? Text(string name) => Root.Text(name);

    /// <summary>True when there is a node or a variable of that name.</summary>
    public bool Has(string name) => _settings.ContainsKey(name) || Below(name) is not null;

    /// <summary>The part of the tree below a name, which may be empty.</summary>
    public ConfigurationNode Node(string name) => new(this, name + ".");

    /// <summary>The text that <c>config.dump=1</c> prints and <c>-k</c> reads: a line for each variable, sorted, with references
    /// unreplaced.</summary>
    public string Dump()
    {
        var text = new StringBuilder();
        foreach (var setting in _settings.Values)
            text.Append(setting.Name).Append('=').Append(setting.Value).Append('\n');
        return text.ToString();
    }

    private Setting? Below(string name)
    {
        var prefix = name + ".";
        foreach (var setting in _settings.Values)
        {
            if (setting.Name.StartsWith(prefix, StringComparison.Ordinal))
                return setting;
        }
        return null;
    }

    private static bool IsName(string name)
    {
        var empty = true;
        foreach (var letter in name)
        {
            if (letter == '.' ? empty : !char.IsAsciiLetterOrDigit(letter) && letter is not ('-' or '_'))
                return false;
            empty = letter == '.';
        }
        return !empty;
    }
}
