using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Virtio;

/// <summary>The guest's RAM as a device uses it: what a guest names is checked before it is touched. Allocates nothing.</summary>
/// <remarks>
/// The guest may write at any time, so a value is read once into a local, and only that is checked and used. An index or flag that hands
/// memory over is read and written as volatile: .NET's acquire and release, which on x86 cost nothing beyond the access.
/// </remarks>
public sealed class QueueMemory
{
    private readonly IGuestMemory _memory;
    private readonly RamRange[] _ranges;

    /// <summary>Looks at a guest's RAM.</summary>
    public QueueMemory(IGuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        _memory = memory;
        _ranges = [.. memory.Ranges];
    }

    /// <summary>True when all the bytes lie in one range of RAM.</summary>
    public bool Contains(ulong address, ulong length)
    {
        foreach (ref readonly var range in _ranges.AsSpan())
        {
            if (range.Holds(address, length))
                return true;
        }
        return false;
    }

    /// <summary>Bytes of the guest, which <see cref="Contains"/> has found to be RAM.</summary>
    public Span<byte> Slice(ulong address, int length) => _memory.Slice(address, length);

    internal ushort ReadAcquire(ulong address) => Volatile.Read(ref UInt16(address));

    internal void WriteRelease(ulong address, ushort value) => Volatile.Write(ref UInt16(address), value);

    internal T Read<T>(ulong address)
        where T : unmanaged => MemoryMarshal.Read<T>(_memory.Slice(address, Unsafe.SizeOf<T>()));

    internal void Write<T>(ulong address, T value)
        where T : unmanaged => MemoryMarshal.Write(_memory.Slice(address, Unsafe.SizeOf<T>()), value);

    private ref ushort UInt16(ulong address) => ref MemoryMarshal.AsRef<ushort>(_memory.Slice(address, sizeof(ushort)));
}
