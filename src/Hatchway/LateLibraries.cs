using System.Reflection;
using System.Runtime.CompilerServices;

namespace Hatchway;

/// <summary>What a guest's process comes to need of the library after its start.</summary>
/// <remarks>
/// The runtime takes each library from the program's file when it is needed first: by then an upgrade may have put another in its place,
/// and the guest would end with its process. So they are loaded before, without running their code.
/// </remarks>
internal static class LateLibraries
{
    /// <summary>Loads what a control socket's clients, statistics and warnings need. Any thread.</summary>
    public static void Load() => Load(
        "System.Console", "System.Memory", "System.Text.Encoding.Extensions", "System.Text.Encodings.Web", "System.Text.Json",
        "System.Threading.ThreadPool");

    /// <summary>Loads what clients of a port need, when they come by a socket. Any thread.</summary>
    public static void LoadForSockets() => Load(
        "Microsoft.Win32.Primitives", "System.Collections.Concurrent", "System.Diagnostics.DiagnosticSource", "System.Diagnostics.Tracing",
        "System.Net.Primitives", "System.Net.Sockets");

    private static void Load(params ReadOnlySpan<string> names)
    {
        // Native code is all there from the start.
        if (!RuntimeFeature.IsDynamicCodeSupported)
            return;
        foreach (var name in names)
            Assembly.Load(name);
    }
}
