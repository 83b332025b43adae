using System.Reflection;
using System.Runtime.CompilerServices;

namespace Hatchway;

/// <summary>Loads early the libraries that a guest's process would otherwise load only later.</summary>
/// <remarks>
/// The runtime loads each library from its file when it is first needed. By then an upgrade may have replaced the file, and the process
/// would end, with its guest. So the libraries are loaded at the start, without running their code.
/// </remarks>
internal static class LateLibraries
{
    /// <summary>Loads the libraries for a control socket's clients, for statistics and for warnings. Any thread.</summary>
    public static void Load() => Load(
        "System.Console", "System.Memory", "System.Text.Encoding.Extensions", "System.Text.Encodings.Web", "System.Text.Json",
        "System.Threading.ThreadPool");

    /// <summary>Loads the libraries for a port's clients on a socket. Any thread.</summary>
    public static void LoadForSockets() => Load(
        "Microsoft.Win32.Primitives", "System.Collections.Concurrent", "System.Diagnostics.DiagnosticSource", "System.Diagnostics.Tracing",
        "System.Net.Primitives", "System.Net.Sockets");

    private static void Load(params ReadOnlySpan<string> names)
    {
        // A native program contains all code from the start.
        if (!RuntimeFeature.IsDynamicCodeSupported)
            return;
        foreach (var name in names)
            Assembly.Load(name);
    }
}
