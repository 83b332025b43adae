using Hatchway.Machine.Devices;
using Hatchway.Machine.Virtio;
using Hatchway.Pci.Address;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>A hypervisor that records a virtio function's requests, and an address map that accepts everything.</summary>
internal sealed class FakeHost(int vectors) : IVirtioHost, IMessageInterrupts, IInterruptLine, IGuestAddressMap
{
    private readonly int[] _signals = new int[vectors];
    private readonly bool[] _unmasked = new bool[vectors];

    public IMessageInterrupts Messages => this;

    public IInterruptLine Line => this;

    public int Count => vectors;

    /// <summary>Level of the interrupt pin.</summary>
    public bool IsLineUp { get; private set; }

    /// <summary>How often the line was raised.</summary>
    public int LineInterrupts { get; private set; }

    /// <summary>Queues that were rung by a write that exited, or by the function itself.</summary>
    public Queue<int> Rung { get; } = new(16);

    /// <summary>The addresses of wired doorbells, with their queues.</summary>
    public SortedDictionary<ulong, int> Doorbells { get; } = [];

    public int Signals(int vector) => _signals[vector];

    public void Signal(int vector)
    {
        if (_unmasked[vector])
            _signals[vector]++;
    }

    public void Ring(int queue)
    {
        if (!Rung.Contains(queue))
            Rung.Enqueue(queue);
    }

    public IDisposable? TryWireDoorbell(int queue, ulong guestPhysical)
    {
        Doorbells.Add(guestPhysical, queue);
        return new Ending(() => Doorbells.Remove(guestPhysical));
    }

    public void Set(bool asserted)
    {
        IsLineUp = asserted;
        LineInterrupts += asserted ? 1 : 0;
    }

    public bool TryEnable(int vectors) => true;

    public void Disable() => Array.Clear(_unmasked);

    public bool TryUnmask(int vector, MsiMessage message) => _unmasked[vector] = true;

    public void Mask(int vector) => _unmasked[vector] = false;

    public bool IsPending(int vector) => false;

    public bool TryMap(AddressSpaceKind kind, ulong start, ulong length, IAddressTarget target) => true;

    public void Claim(ulong start, ulong length, IAddressTarget owner, IPageClaimant claimant)
    {
    }

    public void Unmap(AddressSpaceKind kind, IAddressTarget target)
    {
    }

    private sealed class Ending(Action end) : IDisposable
    {
        public void Dispose() => end();
    }
}
