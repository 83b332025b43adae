using Hatchway.Configuration;
using Hatchway.Machine.Devices;

namespace Hatchway.CommandLine;

/// <summary>The flags of bhyve(8) whose argument has several values: <c>-f</c>, <c>-G</c>.</summary>
internal static class OtherFlags
{
    /// <summary>
    /// <c>-f [name=]NAME,string=TEXT</c> or <c>file=PATH</c>. bhyve keeps these outside its tree; here they are in it, as
    /// <c>fwcfg.N.name</c> with <c>fwcfg.N.string</c> or <c>fwcfg.N.file</c>.
    /// </summary>
    public static void FirmwareFile(ConfigurationTree tree, string value, string origin)
    {
        var text = value.StartsWith("name=", StringComparison.Ordinal) ? value[5..] : value;
        var comma = text.IndexOf(',', StringComparison.Ordinal);
        if (comma <= 0)
            throw new UserException($"{origin}: write NAME,string=TEXT or NAME,file=PATH");
        var (kind, data) = LegacyConf.Pair(text[(comma + 1)..]);
        if (kind is not ("string" or "file") || data is null)
            throw new UserException($"{origin}: '{text[(comma + 1)..]}' is neither: write NAME,string=TEXT or NAME,file=PATH");
        if (comma > FwCfg.LongestName)
            throw new UserException($"{origin}: the name has {comma} characters, and at most {FwCfg.LongestName} are possible");
        var index = tree.Node("fwcfg").Children.Count;
        var node = $"fwcfg.{index}";
        tree.Set($"{node}.name", VariableReferences.Quote(text[..comma]), origin);
        tree.Set($"{node}.{kind}", VariableReferences.Quote(data), origin);
    }

    /// <summary><c>-G [w][address:]port</c>. It only writes to the tree, whose check then says that there is no debug server.</summary>
    public static void Debugger(ConfigurationTree tree, string value, string origin)
    {
        if (value.StartsWith('w'))
        {
            tree.Set("gdb.wait", "true", origin);
            value = value[1..];
        }
        var colon = value.LastIndexOf(':');
        if (colon >= 0)
            tree.Set("gdb.address", value[..colon], origin);
        tree.Set("gdb.port", value[(colon + 1)..], origin);
    }
}
