using System.Globalization;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>Users of the host (getpwnam(3)).</summary>
public static class HostUser
{
    /// <summary>A user's number.</summary>
    /// <param name="name">A name, or a number, which is taken as it is.</param>
    /// <returns>Null when there is no such user.</returns>
    /// <remarks>For one thread at a time.</remarks>
    public static unsafe uint? NumberOf(string name)
    {
        if (uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return number;
        // SAFETY: the C library's own storage, read before the next call.
        var entry = Libc.getpwnam(name);
        return entry is null ? null : entry->pw_uid;
    }
}
