using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Handlers;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Tests;

/// <summary>The exit path allocates nothing, since a garbage collection would stop every vCPU.</summary>
public sealed class AllocationTests
{
    private const int Accesses = 1_000_000;

    [Fact]
    public void A_million_accesses_to_handler_and_device_allocate_nothing()
    {
        var region = new FakeRegion("BAR0", 0x1000, new CallLog()) { Recording = false };
        var handlers = new BarHandlerList();
        handlers.Add(new BarHandlerRange(new(0), 0x100, 64, "handler", new FakeHandler { Recording = false }));
        var window = new BarWindow(new BarDescription(new BarIndex(0), BarKind.Memory32, 0x1000, false), region, handlers);
        AssertNothingAllocated(i =>
        {
            // Accesses the handler, the device, and the edge between the two.
            var offset = (uint)(0xF8 + (i % 0x50));
            window.Write(offset, AccessWidth.Dword, (uint)i);
            window.Read(offset, AccessWidth.Qword);
        }, Accesses / 2);
        Assert.Equal(0, window.Failures);
    }

    [Fact]
    public void Table_and_pending_bits_are_read_and_masked_without_allocating()
    {
        using var guest = new Guest(
            new ConfigBuilder().Bar(0, 0, 0x4000).Msix(0x50, 64, 0, 0, 0x1000).Build(), static host =>
            {
                host[0].Recording = false;
                host[0].Pending.Bytes.AsSpan().Fill(0xFF);
            });
        // The function mask keeps vectors from the fake host, which does allocate.
        guest.Write16(0x52, Msix.Enable | Msix.FunctionMask);
        var window = guest.Window(0);
        AssertNothingAllocated(i =>
        {
            window.Write((uint)((i & 63) * 16) + 12, AccessWidth.Dword, (uint)i & 1);
            window.Read((uint)((i & 63) * 16), AccessWidth.Qword);
            window.Read(0x1000, AccessWidth.Qword);
        }, Accesses / 10);
        Assert.Equal(ulong.MaxValue, window.Read(0x1000, AccessWidth.Qword));
    }

    [Fact]
    public void Config_space_is_read_and_written_without_allocating()
    {
        using var guest = new Guest("edu");
        var bus = new PciBus();
        bus.Add(6, 0, guest.Function);
        var ports = new ConfigPorts(bus);
        var ecam = new Ecam(bus);
        AssertNothingAllocated(i =>
        {
            ports.Write(0, AccessWidth.Dword, 0x8000_3000u | ((uint)i & 0xFC));
            ports.Read(4, AccessWidth.Dword);
            ecam.Read(0x3_0000u | ((uint)i & 0xFFC), AccessWidth.Dword);
            ecam.Write(0x3_0000 | Header.InterruptLine, AccessWidth.Byte, 10);
            ecam.Write(0x3_0000 | Header.Bar0, AccessWidth.Dword, 0xD000_0000);
        }, Accesses / 10);
    }

    [Fact]
    public void A_users_handler_and_a_mirror_of_config_space_add_no_allocation()
    {
        var handlers = new BarHandlerList();
        var watch = new HandlerWatch(TimeProvider.System, static _ => { });
        FunctionMirrors? mirrors = null;
        using var guest = new Guest("edu", host =>
        {
            host[0].Recording = false;
            mirrors = new FunctionMirrors(host, handlers);
            mirrors.Add(new(0), 0x1000, 0x100);
            var context = new DeviceContext(host, default, default, handlers, watch, static _ => { });
            context.Handle(new(0), 8, 4, "factorial", new FakeHandler { Recording = false });
        }, handlers);
        mirrors!.Bind(guest.Function);
        var window = guest.Window(0);
        AssertNothingAllocated(i =>
        {
            window.Write(8, AccessWidth.Dword, (uint)i);
            window.Read(8, AccessWidth.Dword);
            window.Read(0x1000 + ((uint)i & 0xF8), AccessWidth.Qword);
            window.Write(0x1000 | Header.InterruptLine, AccessWidth.Byte, 10);
            watch.Check();
        }, Accesses / 10);
        Assert.Equal(0, window.Failures);
    }

    private static void AssertNothingAllocated(Action<int> access, int count)
    {
        for (var i = 0; i < 2_000; i++)
            access(i);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < count; i++)
            access(i);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
