using Hatchway.Linux.Kvm;
using static Hatchway.SmallGuests.InterruptedGuest;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Linux.Tests.Kvm;

public sealed class InterruptTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);

    [KvmFact]
    public void An_irqfd_interrupts_the_guest_and_what_was_signalled_while_unbound_is_delivered()
    {
        using var guest = new InterruptedGuest();
        using var trigger = EventFd.Create();
        trigger.Signal();

        guest.Vm.AssignIrqfd(trigger, EdgeGsi);

        Assert.Equal((byte)EdgeGsi, guest.RunToInterrupt());
        guest.Vm.DeassignIrqfd(trigger, EdgeGsi);
        trigger.Signal();
        Assert.True(trigger.IsSignalled);
    }

    [KvmFact]
    public async Task A_level_triggered_line_stays_up_until_the_guest_ends_the_interrupt_and_then_signals_the_resample_eventfd()
    {
        using var guest = new InterruptedGuest();
        using var trigger = EventFd.Create();
        using var resample = EventFd.Create();
        guest.Vm.AssignIrqfd(trigger, LevelGsi, resample);
        trigger.Signal();

        Assert.Equal((byte)LevelGsi, guest.RunToInterrupt());

        // The handler has written to the port and is about to end the interrupt.
        Assert.False(resample.IsSignalled);
        var second = Task.Run(() => guest.RunToInterrupt(), TestContext.Current.CancellationToken);
        Assert.True(resample.Wait(Bound));
        Assert.False(second.IsCompleted);
        trigger.Signal();
        Assert.Equal((byte)LevelGsi, await second);
    }

    [KvmFact]
    public void A_message_and_a_route_to_one_reach_the_local_apic()
    {
        using var guest = new InterruptedGuest();
        guest.EnableMessages();
        Assert.True(guest.Vm.SignalMsi(MessageAddress, MessageVector));
        Assert.Equal(MessageVector, guest.RunToInterrupt());

        using var trigger = EventFd.Create();
        guest.Vm.SetGsiRouting([KvmRoute.Msi(24, MessageAddress, MessageVector + 1)]);
        guest.Vm.AssignIrqfd(trigger, 24);
        trigger.Signal();
        Assert.Equal(MessageVector + 1, guest.RunToInterrupt());
    }

    [KvmFact]
    public void A_line_may_be_driven_by_who_does_not_know_that_the_VM_is_gone()
    {
        KvmVm vm;
        using (var guest = new InterruptedGuest())
        {
            vm = guest.Vm;
            vm.SetInterruptLine(EdgeGsi, asserted: true);
            Assert.Equal((byte)EdgeGsi, guest.RunToInterrupt());
        }

        vm.SetInterruptLine(EdgeGsi, asserted: false);

        Assert.True(vm.IsClosed);
    }

    [KvmFact]
    public async Task A_line_that_is_driven_while_its_VM_is_closed_never_fails()
    {
        for (var round = 0; round < 20; round++)
        {
            using var system = KvmSystem.Open();
            var vm = system.CreateVm();
            vm.CreateInterruptControllers();
            using var started = new CountdownEvent(2);
            var drivers = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
            {
                started.Signal();
                for (var level = false; !vm.IsClosed; level = !level)
                    vm.SetInterruptLine(EdgeGsi, level);
            })).ToArray();
            started.Wait(TestContext.Current.CancellationToken);

            vm.Dispose();

            await Task.WhenAll(drivers);
        }
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
}
