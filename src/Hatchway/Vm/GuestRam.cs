using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Machine.Memory;
using Hatchway.Passthrough.Vfio;

namespace Hatchway.Vm;

/// <summary>The guest's RAM: one block of the host's memory, mapped into the guest with memory slots.</summary>
internal sealed class GuestRam : IGuestMemory, IDisposable
{
    private readonly MemoryMapping _mapping;
    private readonly List<IDisposable> _slots = [];
    private readonly RamRange[] _ranges;

    /// <param name="vm">The VM.</param>
    /// <param name="ranges">Where RAM is.</param>
    /// <param name="options">How the host provides it.</param>
    /// <param name="hasDevices">True when VFIO will pin all of it for a device.</param>
    /// <exception cref="UserException">The host does not have that much.</exception>
    public GuestRam(KvmVm vm, IReadOnlyList<RamRange> ranges, MemoryOptions options, bool hasDevices)
    {
        Ranges = ranges;
        _ranges = [.. ranges];
        _mapping = Take(ranges[^1].Offset + ranges[^1].Length, options.HugePageBytes);
        try
        {
            if (!options.InCore)
                _mapping.LeaveOutOfCore();
            // Pinning and locking would allocate missing pages one after the other, on one CPU.
            if (options.Prefault || options.Locked || (hasDevices && RamPrefault.IsQuicker(_mapping)))
                RamPrefault.Run(_mapping);
            // Huge pages are never swapped out; and memory that VFIO pins need not be locked, which would count twice against the limit.
            if (options.Locked && options.HugePageBytes == 0 && !hasDevices)
                _mapping.LockInMemory();
            foreach (var range in ranges)
                _slots.Add(vm.MapMemory(range.GuestPhysical, HostAddress(range), range.Length));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public IReadOnlyList<RamRange> Ranges { get; }

    /// <summary>The same ranges, for the IOMMU.</summary>
    public IReadOnlyList<GuestRamRange> ForDma =>
        [.. Ranges.Select(range => new GuestRamRange(range.GuestPhysical, HostAddress(range), range.Length))];

    public Span<byte> Slice(ulong guestPhysical, int length) => _mapping.Slice(Offset(guestPhysical, (ulong)length), length);

    /// <summary>The guest's bytes as a range of this process's memory, for system calls that access them directly.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They do not lie wholly inside one range of RAM.</exception>
    public HostRange Locate(ulong guestPhysical, uint length) => new(_mapping.Address + (nint)Offset(guestPhysical, length), length);

    public void Dispose()
    {
        foreach (var slot in _slots)
            slot.Dispose();
        _mapping.Dispose();
    }

    // Huge pages of the host's pool are mapped from a memfd, which the mapping keeps alive.
    private static MemoryMapping Take(ulong bytes, ulong hugePageBytes)
    {
        if (hugePageBytes == 0)
            return MemoryMapping.CreatePrivate(bytes);
        using var file = MemoryFile.Create("guest RAM", bytes, hugePageBytes);
        return file.Map();
    }

    // Devices' threads call this for each access, so it allocates nothing.
    private ulong Offset(ulong guestPhysical, ulong length)
    {
        foreach (ref readonly var range in _ranges.AsSpan())
        {
            if (range.Holds(guestPhysical, length))
                return range.Offset + (guestPhysical - range.GuestPhysical);
        }
        throw new ArgumentOutOfRangeException(nameof(guestPhysical), $"{length} bytes at {guestPhysical:x}h are not RAM");
    }

    private nint HostAddress(RamRange range) => _mapping.Address + (nint)range.Offset;
}
