using System.Reflection;
using System.Runtime.CompilerServices;

namespace Hatchway.Vm;

/// <summary>What a guest's process comes to need of the library after its start.</summary>
internal static class LateLibraries
{
    // For a control socket's clients, for statistics and for warnings.
    private static readonly string[] s_names =
    [
        "Microsoft.Win32.Primitives", "System.Collections.Concurrent", "System.Console", "System.Diagnostics.DiagnosticSource",
        "System.Diagnostics.Tracing", "System.Memory", "System.Net.Primitives", "System.Net.Sockets", "System.Text.Encoding.Extensions",
        "System.Text.Encodings.Web", "System.Text.Json", "System.Threading.ThreadPool",
    ];

    /// <summary>
    /// Loads these libraries, without running their code. The runtime takes each from the program's file when it is needed first: by then an
    /// upgrade may have put another in its place, and the guest would end with its process. Any thread.
    /// </summary>
    public static void Load()
    {
        // Native code is all there from the start.
        if (!RuntimeFeature.IsDynamicCodeSupported)
            return;
        foreach (var name in s_names)
            Assembly.Load(name);
    }
}
