using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>The host's clock. Any thread may call.</summary>
public static class HostClock
{
    /// <summary>How far local time is ahead of UTC now, as the C library sees it (localtime_r(3): TZ, else /etc/localtime).</summary>
    /// <remarks><see cref="TimeZoneInfo"/> gives the same, but its first use has 29 methods compiled, which would delay a guest's
    /// start.</remarks>
    public static unsafe TimeSpan LocalOffset
    {
        get
        {
            var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
            tm local;
            // SAFETY: two structures, on the stack.
            if (Libc.localtime_r(&now, &local) == null)
                LinuxException.Throw("localtime_r");
            return TimeSpan.FromSeconds(local.tm_gmtoff);
        }
    }
}
