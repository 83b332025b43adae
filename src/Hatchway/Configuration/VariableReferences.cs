using System.Text;

namespace Hatchway.Configuration;

/// <summary>References to other variables in a value: bhyve_config(5), "VARIABLE VALUES".</summary>
/// <remarks>
/// <c>%(name)</c> stands for the value of <c>name</c>. The manual writes a percent sign as <c>%%</c>, bhyve itself accepts <c>\%</c>; both
/// work here. As in bhyve, a value without any percent sign is literal, including its backslashes.
/// </remarks>
internal static class VariableReferences
{
    // bhyve's bound (usr.sbin/bhyve/config.c).
    private const int DeepestReference = 15;

    /// <summary>A variable's value with references replaced.</summary>
    /// <exception cref="UserException">A reference is not closed, names nothing, or leads back to itself.</exception>
    public static string Expand(Setting setting, ConfigurationTree tree) => Expand(setting, setting.Value, tree, 0);

    /// <summary>Quotes a text, so that the value stands for exactly that text.</summary>
    public static string Quote(string text) => text.Contains('%', StringComparison.Ordinal)
        ? text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("%", "%%", StringComparison.Ordinal)
        : text;

    /// <summary>The names that a value's references name.</summary>
    public static IEnumerable<string> In(string value)
    {
        for (var at = value.IndexOf("%(", StringComparison.Ordinal); at >= 0; at = value.IndexOf("%(", at + 2, StringComparison.Ordinal))
        {
            var end = value.IndexOf(')', at);
            if (end > 0)
                yield return value[(at + 2)..end];
        }
    }

    private static string Expand(Setting root, string value, ConfigurationTree tree, int depth)
    {
        if (!value.Contains('%', StringComparison.Ordinal))
            return value;
        if (depth > DeepestReference)
            throw new UserException($"{Said(root)}: the references in it lead on without end: does a variable refer to itself?");
        var text = new StringBuilder();
        for (var at = 0; at < value.Length; at++)
        {
            if (at + 1 < value.Length && (value[at] == '\\' || (value[at] == '%' && value[at + 1] == '%')))
                text.Append(value[++at]);
            else if (value[at] != '%')
                text.Append(value[at]);
            else
                text.Append(Expand(root, Referenced(root, value, tree, ref at), tree, depth + 1));
        }
        return text.ToString();
    }

    // Resolves the reference whose percent sign is at `at`, and leaves `at` on its closing parenthesis.
    private static string Referenced(Setting root, string value, ConfigurationTree tree, ref int at)
    {
        var end = at + 1 < value.Length && value[at + 1] == '(' ? value.IndexOf(')', at) : -1;
        if (end < 0)
            throw new UserException($"{Said(root)}: a percent sign begins a reference, as %(name): write %% for the sign itself");
        var name = value[(at + 2)..end];
        at = end;
        return tree.Find(name)?.Value ?? throw new UserException($"{Said(root)}: %({name}) refers to a variable that has no value");
    }

    private static string Said(Setting setting) => setting.Origin ?? $"{setting.Name}={setting.Value}";
}
