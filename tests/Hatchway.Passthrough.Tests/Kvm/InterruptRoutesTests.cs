using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Passthrough.Kvm;
using Hatchway.Pci.Interrupts;
using static Hatchway.SmallGuests.InterruptedGuest;

namespace Hatchway.Passthrough.Tests.Kvm;

/// <summary>The table of interrupt routes, with the real KVM.</summary>
public sealed class InterruptRoutesTests
{
    private const uint FirstMessageGsi = 24;

    [KvmFact]
    public void Messages_get_gsis_from_24_up()
    {
        using var guest = new InterruptedGuest();
        var routes = new InterruptRoutes(guest.Vm);

        var gsis = new[] { routes.Add(Message(0)), routes.Add(Message(1)), routes.Add(Message(1)) };

        Assert.Equal([FirstMessageGsi, FirstMessageGsi + 1, FirstMessageGsi + 2], gsis.Cast<uint>());
    }

    [KvmFact]
    public void The_lowest_gsi_that_was_freed_is_given_again()
    {
        using var guest = new InterruptedGuest();
        var routes = new InterruptRoutes(guest.Vm);
        var before = routes.Count;
        for (var i = 0; i < 5; i++)
            routes.Add(Message(i));

        routes.Remove([FirstMessageGsi + 1, FirstMessageGsi + 3]);

        Assert.Equal(before + 3, routes.Count);
        Assert.Equal(FirstMessageGsi + 1, routes.Add(Message(0)));
        Assert.Equal(FirstMessageGsi + 3, routes.Add(Message(0)));
        Assert.Equal(FirstMessageGsi + 5, routes.Add(Message(0)));
    }

    [KvmFact]
    public void A_full_table_gives_no_gsi_until_one_is_freed()
    {
        using var guest = new InterruptedGuest();
        var routes = new InterruptRoutes(guest.Vm);
        var limit = guest.Vm.CheckExtension(KvmCapability.IrqRouting);
        while (routes.Count < limit)
            Assert.NotNull(routes.Add(Message(0)));

        Assert.Null(routes.Add(Message(0)));
        Assert.Equal(limit, routes.Count);
        routes.Remove([FirstMessageGsi + 1000]);
        Assert.Equal(FirstMessageGsi + 1000, routes.Add(Message(0)));
    }

    [KvmFact]
    public void Kvm_is_asked_only_when_a_message_changes()
    {
        using var guest = new InterruptedGuest();
        var routes = new InterruptRoutes(guest.Vm);
        var gsi = routes.Add(Message(0))!.Value;
        // A closed VM refuses requests: they throw.
        guest.Vm.Dispose();

        routes.Change(gsi, Message(0));

        Assert.Throws<ObjectDisposedException>(() => routes.Change(gsi, Message(1)));
    }

    [KvmFact]
    public void A_change_that_kvm_refuses_is_none()
    {
        using var guest = new InterruptedGuest();
        var routes = new InterruptRoutes(guest.Vm);
        var gsi = routes.Add(Message(0))!.Value;
        guest.Vm.Dispose();
        Assert.Throws<ObjectDisposedException>(() => routes.Change(gsi, Message(1)));

        // The refused change is not taken for the route in force.
        Assert.Throws<ObjectDisposedException>(() => routes.Change(gsi, Message(1)));
        routes.Change(gsi, Message(0));
    }

    [KvmFact]
    public void Three_devices_with_2048_vectors_each_fill_the_table_and_those_that_have_a_route_still_interrupt()
    {
        const int Vectors = 2048;
        using var guest = new InterruptedGuest();
        guest.EnableMessages();
        var routes = new InterruptRoutes(guest.Vm);
        var limit = guest.Vm.CheckExtension(KvmCapability.IrqRouting);
        var pins = routes.Count;
        var log = new Lines();
        var devices = new[] { "first", "second", "third" }
            .Select(name => new SoftwareMessageInterrupts(name, Vectors, guest.Vm, routes, log)).ToArray();
        var given = devices.Select(device =>
        {
            device.TryEnable(Vectors);
            return Enumerable.Range(0, Vectors).Count(vector => device.TryUnmask(vector, Message(vector % MessageVectors)));
        }).ToArray();

        // Each device without enough routes gets one line, with the number of routes.
        Assert.Equal([Vectors, Math.Min(Vectors, limit - pins - Vectors), limit - pins - given[0] - given[1]], given);
        Assert.Equal(devices.Count(device => given[Array.IndexOf(devices, device)] < Vectors), log.Count);
        Assert.All(log, line => Assert.Contains(
            $"as will others: KVM's table of interrupt routes is full with {limit}", line, StringComparison.Ordinal));
        devices[1].Signal(given[1] - 1);
        Assert.Equal(MessageVector + ((given[1] - 1) % MessageVectors), guest.RunToInterrupt());
        devices[2].Signal(Vectors - 1);
        // Routes that one device gives back are free for another.
        devices[0].Disable();
        Assert.True(devices[2].TryUnmask(Vectors - 1, Message(3)));
        Assert.Equal(MessageVector + 3, guest.RunToInterrupt());
        foreach (var device in devices)
            device.Dispose();
        Assert.Equal(pins, routes.Count);
    }

    [KvmFact]
    public void An_eventfd_bound_to_a_route_delivers_its_message()
    {
        using var guest = new InterruptedGuest();
        guest.EnableMessages();
        var routes = new InterruptRoutes(guest.Vm);
        using var trigger = EventFd.Create();
        guest.Vm.AssignIrqfd(trigger, routes.Add(Message(2))!.Value);

        trigger.Signal();

        Assert.Equal(MessageVector + 2, guest.RunToInterrupt());
    }

    [KvmFact]
    public void A_changed_route_delivers_the_new_message_by_the_same_eventfd_and_leaves_the_others_alone()
    {
        using var guest = new InterruptedGuest();
        guest.EnableMessages();
        var routes = new InterruptRoutes(guest.Vm);
        using var first = EventFd.Create();
        using var second = EventFd.Create();
        var gsi = routes.Add(Message(0))!.Value;
        guest.Vm.AssignIrqfd(first, gsi);
        guest.Vm.AssignIrqfd(second, routes.Add(Message(1))!.Value);

        routes.Change(gsi, Message(3));

        first.Signal();
        Assert.Equal(MessageVector + 3, guest.RunToInterrupt());
        second.Signal();
        Assert.Equal(MessageVector + 1, guest.RunToInterrupt());
    }

    [KvmFact]
    public void Pins_still_lead_to_the_interrupt_controllers()
    {
        using var guest = new InterruptedGuest();
        using var trigger = EventFd.Create();
        var routes = new InterruptRoutes(guest.Vm);
        routes.Add(Message(0));
        guest.Vm.AssignIrqfd(trigger, EdgeGsi);

        trigger.Signal();

        Assert.Equal(EdgeGsi, guest.RunToInterrupt());
    }

    private static MsiMessage Message(int number) => new(MessageAddress, (uint)(MessageVector + number));
}
