using Hatchway.Linux.Kvm;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Linux.Tests.Kvm;

/// <summary>A guest that halts until interrupted, with the first PIC at vector 20h and level-triggered line 5.</summary>
public sealed class InterruptTests
{
    private const uint EdgeGsi = 4;
    private const uint LevelGsi = 5;
    private const byte MessageVector = 0x40;
    private const ushort ReadyPort = 0x81;
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);

    [KvmFact]
    public void An_irqfd_interrupts_the_guest_and_what_was_signalled_while_unbound_is_delivered()
    {
        using var guest = CreateGuest();
        using var trigger = EventFd.Create();
        trigger.Signal();

        guest.Vm.AssignIrqfd(trigger, EdgeGsi);

        Assert.Equal((byte)EdgeGsi, RunToPort(guest).Value);
        guest.Vm.DeassignIrqfd(trigger, EdgeGsi);
        trigger.Signal();
        Assert.True(trigger.IsSignalled);
    }

    [KvmFact]
    public async Task A_level_triggered_line_stays_up_until_the_guest_ends_the_interrupt_and_then_signals_the_resample_eventfd()
    {
        using var guest = CreateGuest();
        using var trigger = EventFd.Create();
        using var resample = EventFd.Create();
        guest.Vm.AssignIrqfd(trigger, LevelGsi, resample);
        trigger.Signal();

        Assert.Equal((byte)LevelGsi, RunToPort(guest).Value);

        // The handler has written to the port and is about to end the interrupt.
        Assert.False(resample.IsSignalled);
        var second = Task.Run(() => RunToPort(guest).Value, TestContext.Current.CancellationToken);
        Assert.True(resample.Wait(Bound));
        Assert.False(second.IsCompleted);
        trigger.Signal();
        Assert.Equal((byte)LevelGsi, await second);
    }

    [KvmFact]
    public void A_message_and_a_route_to_one_reach_the_local_apic()
    {
        using var guest = CreateGuest();
        const int SpuriousVector = 0xF0;
        guest.Vcpu.SetLocalApic([(SpuriousVector, 0x1FF)]);
        Assert.True(guest.Vm.SignalMsi(0xFEE0_0000, MessageVector));
        Assert.Equal(MessageVector, RunToPort(guest).Value);

        using var trigger = EventFd.Create();
        guest.Vm.SetGsiRouting([KvmRoute.Msi(24, 0xFEE0_0000, MessageVector + 1)]);
        guest.Vm.AssignIrqfd(trigger, 24);
        trigger.Signal();
        Assert.Equal(MessageVector + 1, RunToPort(guest).Value);
    }

    [KvmFact]
    public void A_guests_write_signals_an_ioeventfd_instead_of_coming_back()
    {
        using var guest = new SmallGuest(static a =>
        {
            a.mov(al, 1);
            a.@out(0x90, al);
            a.mov(al, 2);
            a.@out(0x90, al);
            a.hlt();
        });
        using var signalled = EventFd.Create();
        using (guest.Vm.AssignIoEventFd(signalled, 0x90, 1, isPort: true, match: 1))
        {
            using var attached = guest.Vcpu.Attach();
            Assert.Equal(KvmExit.Io, guest.Vcpu.Run());
            Assert.Equal(2, guest.Vcpu.PortData[0]);
        }

        Assert.Equal(1ul, signalled.Take());
    }

    private static SmallGuest CreateGuest()
    {
        var guest = new SmallGuest(WaitForInterrupts, interruptControllers: true);
        foreach (var line in new[] { EdgeGsi, LevelGsi })
            guest.SetVector(0x20 + (int)line, a => Handler(a, (byte)line), (ushort)(0x2000 + (line * 0x100)));
        foreach (var vector in new byte[] { MessageVector, MessageVector + 1 })
            guest.SetVector(vector, a => Handler(a, vector), (ushort)(0x3000 + (vector * 0x10)));
        Assert.Equal(ReadyPort, RunToPort(guest).Port);
        return guest;
    }

    private static void WaitForInterrupts(Assembler a)
    {
        // ICW1 to ICW4 of the first PIC (8259A data sheet): vectors from 20h, a second PIC at line 2; then lines 4 and 5 open.
        foreach (var (port, value) in new (byte, byte)[] { (0x20, 0x11), (0x21, 0x20), (0x21, 0x04), (0x21, 0x01), (0x21, 0xCF) })
        {
            a.mov(al, value);
            a.@out(port, al);
        }
        a.mov(dx, 0x4D0);
        a.mov(al, 1 << (int)LevelGsi);
        a.@out(dx, al);
        // Initialising a PIC forgets what it was asked before: only now may somebody interrupt.
        a.@out(0x81, al);
        a.sti();
        var again = a.CreateLabel();
        a.Label(ref again);
        a.hlt();
        a.jmp(again);
    }

    private static void Handler(Assembler a, byte number)
    {
        a.mov(al, number);
        a.@out(0x80, al);
        a.mov(al, 0x20);
        a.@out(0x20, al);
        a.iret();
    }

    // Bounded by a kick: an interrupt that does not come leaves the guest halted in the kernel.
    private static (ushort Port, byte Value) RunToPort(SmallGuest guest)
    {
        using var attached = guest.Vcpu.Attach();
        using var bound = new Timer(_ => guest.Vcpu.Kick(), null, Bound, Timeout.InfiniteTimeSpan);
        Assert.Equal(KvmExit.Io, guest.Vcpu.Run());
        return (guest.Vcpu.Port.Port, guest.Vcpu.PortData[0]);
    }
}
