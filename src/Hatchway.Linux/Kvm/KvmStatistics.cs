using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux.Kvm;

/// <summary>KVM's counters of a VM or of a vCPU (Linux Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD).</summary>
public sealed class KvmStatistics : FileDescriptor
{
    private readonly List<(string Name, uint Offset, int Count)> _counters = [];
    private readonly uint _dataOffset;

    private KvmStatistics(int fd)
        : base(fd)
    {
        var header = MemoryMarshal.Read<kvm_stats_header>(ReadAt(0, Unsafe.SizeOf<kvm_stats_header>()));
        _dataOffset = header.data_offset;
        var entrySize = Unsafe.SizeOf<kvm_stats_desc>() + (int)header.name_size;
        var entries = ReadAt(header.desc_offset, entrySize * (int)header.num_desc);
        for (var at = 0; at < entries.Length; at += entrySize)
        {
            var entry = MemoryMarshal.Read<kvm_stats_desc>(entries.AsSpan(at));
            var name = entries.AsSpan(at + Unsafe.SizeOf<kvm_stats_desc>(), (int)header.name_size);
            _counters.Add((Encoding.ASCII.GetString(name[..name.IndexOf((byte)0)]), entry.offset, entry.size));
        }
    }

    internal static KvmStatistics Open(int fd) => new(fd);

    /// <summary>Reads every counter that is a single number, by the kernel's name, as <c>exits</c> and <c>mmio_exits</c>.</summary>
    public IReadOnlyDictionary<string, ulong> Read()
    {
        var values = new Dictionary<string, ulong>(_counters.Count);
        foreach (var (name, offset, count) in _counters)
        {
            if (count == 1)
                values[name] = BinaryPrimitives.ReadUInt64LittleEndian(ReadAt(_dataOffset + offset, sizeof(ulong)));
        }
        return values;
    }

    private unsafe byte[] ReadAt(long offset, int length)
    {
        using var use = Use();
        var bytes = new byte[length];
        // SAFETY: the buffer is pinned, and as long as the kernel is told.
        fixed (byte* start = bytes)
        {
            if (Libc.pread(use.Fd, start, (nuint)length, offset) != length)
                LinuxException.Throw("read of KVM's statistics");
        }
        return bytes;
    }
}
