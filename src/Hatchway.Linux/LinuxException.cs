using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Hatchway.Linux;

/// <summary>A system call failed.</summary>
public sealed class LinuxException : IOException
{
    /// <summary>Describes a failure.</summary>
    /// <param name="operation">The operation that failed, as <c>open /dev/kvm</c>.</param>
    /// <param name="errno">The kernel's error number.</param>
    public LinuxException(string operation, Errno errno)
        : base($"{operation}: {Marshal.GetPInvokeErrorMessage((int)errno)} ({errno})")
    {
        Errno = errno;
    }

    /// <summary>The kernel's error number.</summary>
    public Errno Errno { get; }

    /// <summary>The last call's error number.</summary>
    internal static Errno Last => (Errno)Marshal.GetLastPInvokeError();

    /// <summary>Throws for the last call.</summary>
    [DoesNotReturn]
    internal static void Throw(string operation) => throw new LinuxException(operation, Last);

    /// <summary>Passes a result on, or throws when it is negative.</summary>
    internal static int Check(int result, string operation)
    {
        if (result < 0)
            Throw(operation);
        return result;
    }
}
