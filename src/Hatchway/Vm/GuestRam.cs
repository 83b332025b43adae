using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Machine.Memory;
using Hatchway.Passthrough.Vfio;

namespace Hatchway.Vm;

/// <summary>The guest's RAM: one block of memory, in the guest by memory slots.</summary>
internal sealed class GuestRam : IGuestMemory, IDisposable
{
    private readonly MemoryMapping _mapping;
    private readonly List<IDisposable> _slots = [];
    private readonly RamRange[] _ranges;

    /// <param name="vm">The VM.</param>
    /// <param name="ranges">Where RAM is.</param>
    /// <param name="options">What it is made of.</param>
    /// <param name="hasDevices">VFIO will pin all of it for a device.</param>
    /// <exception cref="UserException">The host has not so much to give.</exception>
    public GuestRam(KvmVm vm, IReadOnlyList<RamRange> ranges, MemoryOptions options, bool hasDevices)
    {
        Ranges = ranges;
        _ranges = [.. ranges];
        _mapping = Take(ranges[^1].Offset + ranges[^1].Length, options.HugePageBytes);
        try
        {
            if (!options.InCore)
                _mapping.LeaveOutOfCore();
            // What pins pages takes them one after the other where they are not there yet.
            if (options.Prefault || options.Locked || (hasDevices && RamPrefault.IsQuicker(_mapping)))
                RamPrefault.Run(_mapping);
            // Huge pages are never swapped out, and what VFIO pins need not be locked: it would count twice against the limit.
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

    /// <summary>The same ranges, as an IOMMU is told of them.</summary>
    public IReadOnlyList<GuestRamRange> ForDma =>
        [.. Ranges.Select(range => new GuestRamRange(range.GuestPhysical, HostAddress(range), range.Length))];

    public Span<byte> Slice(ulong guestPhysical, int length) => _mapping.Slice(Offset(guestPhysical, (ulong)length), length);

    /// <summary>Where bytes of the guest are in this process, for system calls that go there straight.</summary>
    /// <exception cref="ArgumentOutOfRangeException">They do not lie wholly inside one range of RAM.</exception>
    public HostRange Locate(ulong guestPhysical, uint length) => new(_mapping.Address + (nint)Offset(guestPhysical, length), length);

    public void Dispose()
    {
        foreach (var slot in _slots)
            slot.Dispose();
        _mapping.Dispose();
    }

    // Huge pages of the host's pool come by a file, which the mapping keeps open.
    private static MemoryMapping Take(ulong bytes, ulong hugePageBytes)
    {
        if (hugePageBytes == 0)
            return MemoryMapping.CreatePrivate(bytes);
        using var file = MemoryFile.Create("guest RAM", bytes, hugePageBytes);
        return file.Map();
    }

    // Devices' threads come here for each access: nothing is allocated.
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
