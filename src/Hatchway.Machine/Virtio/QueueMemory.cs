using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Virtio;

/// <summary>The guest's RAM as a device accesses it: addresses from the guest are checked before use. Allocates nothing.</summary>
/// <remarks>
/// The guest may write at any time, so a value is read once into a local, and only that copy is checked and used. Indices and flags that
/// hand memory over are accessed as volatile: .NET's acquire and release, which on x86 are plain accesses.
/// </remarks>
public sealed class QueueMemory
{
    private readonly IGuestMemory _memory;
    private readonly RamRange[] _ranges;

    /// <summary>Wraps a guest's RAM.</summary>
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

    /// <summary>The guest's bytes at an address, which the caller has checked with <see cref="Contains"/>.</summary>
    public Span<byte> Slice(ulong address, int length) => _memory.Slice(address, length);

    internal ushort ReadAcquire(ulong address) => Volatile.Read(ref UInt16(address));

    internal void WriteRelease(ulong address, ushort value) => Volatile.Write(ref UInt16(address), value);

    internal T Read<T>(ulong address)
        where T : unmanaged => MemoryMarshal.Read<T>(_memory.Slice(address, Unsafe.SizeOf<T>()));

    internal void Write<T>(ulong address, T value)
        where T : unmanaged => MemoryMarshal.Write(_memory.Slice(address, Unsafe.SizeOf<T>()), value);

    private ref ushort UInt16(ulong address) => ref MemoryMarshal.AsRef<ushort>(_memory.Slice(address, sizeof(ushort)));
}
