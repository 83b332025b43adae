using Hatchway.Linux.Interop;

namespace Hatchway.Linux;

/// <summary>The kernel's random bytes (getrandom(2)).</summary>
public static class RandomBytes
{
    /// <summary>Fills memory with random bytes. Allocates nothing.</summary>
    /// <returns>How many bytes were filled, from the start: all, unless the kernel fails.</returns>
    public static unsafe int Fill(Span<byte> bytes)
    {
        var done = 0;
        // SAFETY: pinned for the calls, and the kernel writes no more than what is left.
        fixed (byte* start = bytes)
        {
            while (done < bytes.Length)
            {
                var count = Libc.getrandom(start + done, (nuint)(bytes.Length - done), 0);
                if (count >= 0)
                    done += (int)count;
                else if (LinuxException.Last != Errno.EINTR)
                    break;
            }
        }
        return done;
    }
}
