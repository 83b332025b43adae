using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux.Vfio;

/// <summary>VFIO's variable-length answers: a structure that begins with its size, then a chain of capabilities (linux/vfio.h).</summary>
internal static unsafe class InfoBuffer
{
    /// <summary>Asks with the bare structure first, and again with a larger buffer when the kernel needs more.</summary>
    /// <param name="fd">The file that is asked.</param>
    /// <param name="request">The request.</param>
    /// <param name="question">The structure as the request wants it, except argsz, which is filled in here.</param>
    /// <param name="name">The request's name.</param>
    public static byte[] Ask<T>(int fd, uint request, T question, string name)
        where T : unmanaged
    {
        var bytes = new byte[sizeof(T)];
        while (true)
        {
            MemoryMarshal.Write(bytes, question);
            // argsz is the first member of each of these structures.
            Unsafe.WriteUnaligned(ref bytes[0], bytes.Length);
            // SAFETY: the buffer is as long as its first member says.
            fixed (byte* start = bytes)
                LinuxException.Check(Ioctl.ioctl(fd, request, start), name);
            var needed = MemoryMarshal.Read<int>(bytes);
            if (needed <= bytes.Length)
                return bytes;
            bytes = new byte[needed];
        }
    }

    /// <summary>Finds a capability in an answer.</summary>
    /// <returns>From its header to the answer's end; empty when the answer does not have it.</returns>
    public static ReadOnlySpan<byte> Find(byte[] answer, uint flags, uint capabilitiesFlag, uint first, ushort id)
    {
        if ((flags & capabilitiesFlag) == 0)
            return default;
        for (var at = first; at != 0 && at + sizeof(vfio_info_cap_header) <= answer.Length;)
        {
            var header = MemoryMarshal.Read<vfio_info_cap_header>(answer.AsSpan((int)at));
            if (header.id == id)
                return answer.AsSpan((int)at);
            // The chain must go forward, or it could loop.
            if (header.next <= at)
                break;
            at = header.next;
        }
        return default;
    }
}
