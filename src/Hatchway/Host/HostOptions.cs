using Hatchway.CommandLine;
using Hatchway.Passthrough.Host;

namespace Hatchway.Host;

/// <summary>Options that the commands of <c>hatchway host</c> share.</summary>
internal static class HostOptions
{
    public static readonly Option Json = new("json", null, "for programs: JSON");
    public static readonly Option File = new("F", "FILE", "look at what 'lspci -xxxx' printed, instead of at this host");

    /// <summary>Reads a dump; malformed parts are reported on standard error.</summary>
    public static LspciDump ReadDump(string path)
    {
        string text;
        try
        {
            text = path == "-" ? Console.In.ReadToEnd() : System.IO.File.ReadAllText(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UserException($"-F {path}: can't be read: {FileFailure.Reason(failure, path)}");
        }
        var dump = LspciDump.Parse(text);
        foreach (var warning in dump.Warnings)
            Logging.StandardErrorLogger.Write($"{path}: {warning}");
        return dump.Functions.Count > 0
            ? dump
            : throw new UserException($"-F {path}: no function is in it: 'lspci -xxxx' prints what is wanted");
    }
}
