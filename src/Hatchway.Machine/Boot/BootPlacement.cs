using System.Text;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Boot;

/// <summary>A range of guest-physical addresses that something was put into.</summary>
internal readonly record struct PlacedRange(ulong Start, ulong Length);

/// <summary>Finds room in guest RAM for the parts that both boot protocols need.</summary>
internal static class BootPlacement
{
    /// <summary>Throws unless a range is RAM above the legacy area and below the 32-bit hole.</summary>
    public static void DemandRam(BootFile file, MemoryLayout layout, ulong start, ulong length, string what)
    {
        var end = layout.Ram[0].End;
        if (start < BootAddresses.HighMemory)
            throw file.Error(Text($"{what} belongs at 0x{start:x}, and nothing can be loaded below 1 MiB; use another kernel"));
        if (start > end || length > end - start)
        {
            throw file.Error(Text(
                $"{what} needs 0x{length:x} bytes of RAM at 0x{start:x}, and low RAM ends at 0x{end:x}; give the guest more memory"));
        }
    }

    /// <summary>Loads the initrd at the top of low RAM, far from where the kernel unpacks itself.</summary>
    /// <param name="request">Has the file.</param>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="layout">Where RAM is.</param>
    /// <param name="floor">The end of the memory that the kernel needs.</param>
    /// <param name="limit">The initrd must end at or below this address.</param>
    /// <returns>Where it is; a length of zero when there is none.</returns>
    public static PlacedRange LoadInitrd(BootRequest request, IGuestMemory memory, MemoryLayout layout, ulong floor, ulong limit)
    {
        if (request.Initrd is null)
            return default;
        var file = new BootFile(request.Initrd, request.InitrdName ?? "initrd");
        if (file.Length == 0)
            throw file.Error("empty; leave the initrd out or give one with content");
        var top = Math.Min(layout.Ram[0].End, limit);
        if (top < floor || file.Length > top - floor || ((top - file.Length) & ~(MemoryLayout.PageSize - 1ul)) < floor)
        {
            throw file.Error(Text(
                $"its 0x{file.Length:x} bytes find no room between the kernel and 0x{top:x}; give the guest more memory"));
        }
        var start = (top - file.Length) & ~(MemoryLayout.PageSize - 1ul);
        file.Load(0, file.Length, memory, start, "the initrd");
        return new(start, file.Length);
    }

    /// <summary>Writes the command line as UTF-8 with its terminating zero.</summary>
    /// <param name="commandLine">The command line.</param>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="kernel">The kernel's file, for messages.</param>
    /// <param name="limit">The longest command line that the kernel accepts, in bytes without the zero.</param>
    public static void WriteCommandLine(string commandLine, IGuestMemory memory, BootFile kernel, uint limit)
    {
        var most = Math.Min(limit, BootAddresses.CommandLineCapacity - 1);
        var length = Encoding.UTF8.GetByteCount(commandLine);
        if ((uint)length > most)
            throw kernel.Error(Text($"the command line has {length} bytes, and this kernel takes {most} at most; shorten it"));
        if (commandLine.Contains('\0', StringComparison.Ordinal))
            throw kernel.Error("the command line has a zero character in it, where the kernel would take it to end; remove it");
        var room = memory.Slice(BootAddresses.CommandLine, length + 1);
        Encoding.UTF8.GetBytes(commandLine, room);
        room[length] = 0;
    }

    /// <summary>Formats a message for people, independent of the culture.</summary>
    public static string Text(FormattableString message) => FormattableString.Invariant(message);
}
