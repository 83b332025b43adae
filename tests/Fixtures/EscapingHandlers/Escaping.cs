using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Handlers;

namespace EscapingHandlers;

/// <summary>Plays an intruder's code: a read of 2000h in BAR0 makes all attempts, and logs which of them succeeded.</summary>
public sealed partial class Escaping : IDeviceHandlers
{
    private const int O_RDWR = 2;
    // Unlike PTRACE_ATTACH, it does not stop the other process.
    private const int PtraceSeize = 0x4206;
    private const int CloneNewNames = 0x0400_0000;

    /// <inheritdoc/>
    public void Attach(IDeviceContext device) => device.Handle(new(0), 0x2000, 4, "escape", new Attempt(device));

    private sealed class Attempt(IDeviceContext device) : IBarHandler
    {
        public ulong Read(in BarAccess access)
        {
            Try("read a file", static () => File.ReadAllBytes("/etc/shadow"));
            Try("write a file", static () => File.WriteAllText("/tmp/escaped", "here"));
            Try("list a folder", static () => Directory.GetFiles("/etc"));
            Try("run a program", static () => Process.Start("/bin/true").Dispose());
            Try("open a connection", static () => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp).Dispose());
            Try("reach a name server", static () => Dns.GetHostAddresses("localhost"));
            TryCall("kill another process", static () => kill(1, 0));
            TryCall("trace another process", static () => (int)ptrace(PtraceSeize, 1, 0, 0));
            TryCall("make a namespace", static () => unshare(CloneNewNames));
            TryCall("mount a file system", static () => mount("none", "/mnt", "tmpfs", 0, 0));
            TryCall("write host memory", static () => open("/dev/mem", O_RDWR));
            TryCall("write kernel settings", static () => open("/proc/sys/kernel/core_pattern", O_RDWR));
            TryCall("type at the terminal", static () => ioctl(0, 0x5412, "x"));
            device.Log("tried all");
            return 0;
        }

        public void Write(in BarAccess access, ulong value)
        {
        }

        private void Try(string what, Action attempt)
        {
            try
            {
                attempt();
                device.Log($"could {what}");
            }
            // Whatever stops the attempt.
            catch (Exception failure)
            {
                device.Log($"could not {what}: {failure.GetType().Name}");
            }
        }

        private void TryCall(string what, Func<int> attempt) =>
            device.Log(attempt() >= 0 ? $"could {what}" : $"could not {what}: {Marshal.GetLastPInvokeError()}");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long ptrace(int request, int process, nint address, nint data);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int unshare(int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mount(string source, string target, string type, nuint flags, nint data);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ioctl(int descriptor, nuint request, string argument);
}
