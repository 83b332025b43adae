using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.KvmRequests;

namespace Hatchway.Linux.Kvm;

public sealed partial class KvmVm
{
    // Slot numbers that were used and are free again, and the lowest that was never used. _freeSlots is also the lock that guards both.
    private readonly Stack<uint> _freeSlots = [];
    private uint _newSlot;
    private readonly int _slotLimit;

    /// <summary>Maps memory of this process into the guest (KVM_SET_USER_MEMORY_REGION).</summary>
    /// <param name="guestPhysical">The guest-physical address, page-aligned.</param>
    /// <param name="address">The address in this process, page-aligned; it must stay mapped as long as the slot lives.</param>
    /// <param name="length">Bytes, a multiple of the page size.</param>
    /// <param name="readOnly">Turns a guest's write into an MMIO exit.</param>
    /// <returns>The memory slot. Disposing it unmaps the memory from the guest before it returns, even while vCPUs run.</returns>
    /// <exception cref="LinuxException">The range overlaps another slot, or the VM has no slot left.</exception>
    public IDisposable MapMemory(ulong guestPhysical, nint address, ulong length, bool readOnly = false)
    {
        const uint KVM_MEM_READONLY = 2;
        lock (_freeSlots)
        {
            var isUsedAgain = _freeSlots.TryPeek(out var slot);
            if (!isUsedAgain && (slot = _newSlot) >= _slotLimit)
                throw new LinuxException($"KVM_SET_USER_MEMORY_REGION: all {_slotLimit} memory slots are in use", Errno.ENOMEM);
            SetSlot(slot, readOnly ? KVM_MEM_READONLY : 0, guestPhysical, address, length);
            if (isUsedAgain)
                _freeSlots.Pop();
            else
                _newSlot++;
            return new Slot(this, slot, guestPhysical);
        }
    }

    private unsafe void SetSlot(uint slot, uint flags, ulong guestPhysical, nint address, ulong length)
    {
        var region = new kvm_userspace_memory_region
        {
            slot = slot,
            flags = flags,
            guest_phys_addr = guestPhysical,
            memory_size = length,
            userspace_addr = (ulong)address,
        };
        // SAFETY: one structure, on the stack. The caller guarantees that the memory behind it lives long enough.
        Call(KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
    }

    private void FreeSlot(uint slot, ulong guestPhysical)
    {
        lock (_freeSlots)
        {
            if (IsClosed)
                return;
            SetSlot(slot, 0, guestPhysical, 0, 0);
            _freeSlots.Push(slot);
        }
    }

    private sealed class Slot(KvmVm vm, uint number, ulong guestPhysical) : IDisposable
    {
        private int _disposed;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
                vm.FreeSlot(number, guestPhysical);
        }
    }
}
