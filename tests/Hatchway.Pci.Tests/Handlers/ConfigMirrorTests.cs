using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Handlers;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;
using Hatchway.Pci.Topology;

namespace Hatchway.Pci.Tests.Handlers;

/// <summary>Config space mirrored in a BAR.</summary>
public sealed class ConfigMirrorTests
{
    private const ulong At = 0x1000;
    private const uint Bar0 = 0xD000_0000;
    private static readonly AccessWidth[] Widths = [AccessWidth.Byte, AccessWidth.Word, AccessWidth.Dword, AccessWidth.Qword];

    public static TheoryData<string> Recordings => new("edu", "e1000e", "nvme", "qemu-xhci");

    [Theory]
    [MemberData(nameof(Recordings))]
    public void Any_access_to_the_mirror_reads_what_config_space_reads(string recording) => Properties.Hold(Properties.Seeds, seed =>
    {
        using var guest = Mirrored(RecordedFunction.Load(recording), out var size);
        guest.PlaceBar(0, Bar0);
        var random = new Random(seed);
        for (var i = 0; i < 50; i++)
        {
            var width = Widths[random.Next(4)];
            var offset = random.Next(size - (int)width + 1);
            var expected = 0ul;
            for (var j = (int)width - 1; j >= 0; j--)
                expected = (expected << 8) | guest.Read8(offset + j);
            Assert.Equal(expected, guest.Window(0).Read(At + (ulong)offset, width));
        }
    }, count: 20);

    [Theory]
    [MemberData(nameof(Recordings))]
    public void A_function_that_is_written_through_its_mirror_ends_as_one_that_is_written_through_config_space(string recording) =>
        Properties.Hold(Properties.Seeds, seed =>
        {
            using var mirrored = Mirrored(RecordedFunction.Load(recording), out var size);
            using var plain = Mirrored(RecordedFunction.Load(recording), out _);
            var random = new Random(seed);
            for (var i = 0; i < 50; i++)
            {
                var width = Widths[random.Next(3)];
                var offset = random.Next(size / (int)width) * (int)width;
                var value = (uint)random.NextInt64() & (uint)width.AllOnes();
                mirrored.Window(0).Write(At + (ulong)offset, width, value);
                plain.Write(offset, width, value);
            }
            Assert.Equal(plain.Host.Config.Writes, mirrored.Host.Config.Writes);
            Assert.Equal(plain.Function.Windows.Select(static w => w.Address), mirrored.Function.Windows.Select(static w => w.Address));
            for (var at = 0; at < size; at += 4)
                Assert.Equal(plain.Read32(at), mirrored.Read32(at));
        }, count: 20);

    [Fact]
    public void Eight_bytes_are_two_dwords_and_a_misaligned_access_is_made_of_aligned_ones()
    {
        using var guest = Mirrored(RecordedFunction.Load("edu"), out _);
        guest.Host.Config.Writes.Clear();
        guest.Window(0).Write(At + 0x60, AccessWidth.Qword, 0x8877_6655_4433_2211);
        guest.Window(0).Write(At + 0x71, AccessWidth.Dword, 0x4433_2211);
        Assert.Equal(
            [new(0x60, 4, 0x4433_2211), new(0x64, 4, 0x8877_6655), new(0x71, 1, 0x11), new(0x72, 2, 0x3322), new(0x74, 1, 0x44)],
            guest.Host.Config.Writes.Where(static write => write.Offset >= 0x40));
    }

    [Fact]
    public void A_write_may_move_the_BAR_that_it_comes_through()
    {
        using var guest = Mirrored(RecordedFunction.Load("edu"), out _);
        guest.PlaceBar(0, Bar0);
        guest.Command(CommandBits.Memory);
        guest.Map.Write(AddressSpaceKind.Memory, Bar0 + At + Header.Bar0, AccessWidth.Dword, 0xD800_0000);
        Assert.Equal(0xD800_0000ul, guest.Window(0).Address);
        Assert.Equal(0xD800_0000ul, guest.Map.Read(AddressSpaceKind.Memory, 0xD800_0000 + At + Header.Bar0, AccessWidth.Dword));
        Assert.Equal(0xFFFF_FFFFul, guest.Map.Read(AddressSpaceKind.Memory, Bar0 + At + Header.Bar0, AccessWidth.Dword));
    }

    [Fact]
    public void A_write_may_switch_off_the_BAR_that_it_comes_through()
    {
        using var guest = Mirrored(RecordedFunction.Load("edu"), out _);
        guest.PlaceBar(0, Bar0);
        guest.Command(CommandBits.Memory);
        // The dword after the command register is written once the BAR has gone, and still arrives.
        guest.Map.Write(AddressSpaceKind.Memory, Bar0 + At + Header.Command, AccessWidth.Qword, 0);
        Assert.Null(guest.Window(0).Address);
        Assert.Contains(guest.Host.Config.Writes, static write => write.Offset >= Header.RevisionId && write.Offset < Header.Bar0);
    }

    [Fact]
    public void What_lies_behind_config_space_is_the_devices_own()
    {
        using var guest = Mirrored(new ConfigBuilder(Header.ConventionalSize).Bar(0, 0, 0x4000).Build(), out var size);
        Assert.Equal(Header.ConventionalSize, size);
        Assert.Equal(FakeRegion.Pattern(At + 0x100, AccessWidth.Dword), guest.Window(0).Read(At + 0x100, AccessWidth.Dword));
        Assert.Equal(0x10F0_1AF4ul, guest.Window(0).Read(At, AccessWidth.Dword));
    }

    [Fact]
    public void A_mirror_that_is_not_bound_reads_as_all_ones()
    {
        var mirror = new ConfigMirror();
        Assert.Equal(0xFFFFul, mirror.Read(new BarAccess(new(0), 0, 0, AccessWidth.Word, null)));
        mirror.Write(new BarAccess(new(0), 0, 0, AccessWidth.Word, null), 0);
    }

    [Theory]
    [InlineData(0x1380, 0x8_8000)]
    [InlineData(0x2204, 0x8_8000)]
    [InlineData(0x2331, 0x9_2000)]
    [InlineData(0x2684, 0x8_8000)]
    [InlineData(0x2B85, 0x9_2000)]
    public void A_known_display_device_has_its_mirror(ushort device, ulong offset)
    {
        var handlers = new BarHandlerList();
        _ = new FunctionMirrors(new FakeHostFunction(Display(device), new CallLog()), handlers);
        var mirror = Assert.Single(handlers[new(0)]);
        Assert.Equal((offset, 0x1000ul), (mirror.Offset, mirror.Length));
    }

    [Theory]
    [InlineData(0x68, AccessWidth.Byte, 0xFF)]
    [InlineData(0x704, AccessWidth.Byte, 0xFF)]
    [InlineData(0x704, AccessWidth.Dword, 0)]
    public void An_acknowledgement_of_an_MSI_through_the_mirror_reaches_the_device(uint register, AccessWidth width, uint value)
    {
        var log = new CallLog();
        var handlers = new BarHandlerList();
        var host = new FakeHostFunction(Display(0x1380), log);
        var mirrors = new FunctionMirrors(host, handlers);
        using var function = new AssignedFunction(host, new FakeAddressMap(log), handlers, new AssignedOptions());
        mirrors.Bind(function);
        var lines = log.Lines.Count;
        function.Windows[0].Write(0x8_8000 + register, width, value);
        Assert.Equal([$"BAR0.write {0x8_8000 + register:x} {(int)width} {value:x}"], log.Lines.Skip(lines));
        Assert.Equal(0x05ul, function.Windows[0].Read(0x8_8068, AccessWidth.Byte));
    }

    [Theory]
    [InlineData(0x41C, true)]
    [InlineData(0x138, true)]
    [InlineData(0xE00, true)]
    [InlineData(0x104, false)]
    [InlineData(0x134, false)]
    [InlineData(0x608, false)]
    public void A_write_through_a_known_mirror_to_what_no_capability_has_reaches_the_device(uint register, bool reaches)
    {
        var log = new CallLog();
        var handlers = new BarHandlerList();
        var host = new FakeHostFunction(Display(0x1380), log);
        var mirrors = new FunctionMirrors(host, handlers);
        using var function = new AssignedFunction(host, new FakeAddressMap(log), handlers, new AssignedOptions());
        mirrors.Bind(function);
        function.Windows[0].Write(0x8_8000 + register, AccessWidth.Dword, 0x60);
        Assert.Equal(reaches ? [$"BAR0.write {0x8_8000 + register:x} 4 60"] : [], log.Of("BAR0.write"));
    }

    [Theory]
    [InlineData(1, 0, 0x100, "the device has no BAR1; it has BAR0")]
    [InlineData(0, 0x10_0000, 0x100, "100h bytes at 100000h do not lie in BAR0, which has 100000h")]
    [InlineData(0, 0xF_FF80, 0x100, "100h bytes at fff80h do not lie in BAR0, which has 100000h")]
    [InlineData(0, ulong.MaxValue, 0x100, "100h bytes at ffffffffffffffffh do not lie in BAR0, which has 100000h")]
    public void A_mirror_outside_its_BAR_is_refused(byte bar, ulong offset, ulong length, string message)
    {
        var mirrors = new FunctionMirrors(new FakeHostFunction(RecordedFunction.Load("edu"), new CallLog()), new BarHandlerList());
        Assert.Equal($"config mirror: {message}", Assert.Throws<HandlerException>(() => mirrors.Add(new(bar), offset, length)).Message);
    }

    [Fact]
    public void A_mirror_on_the_MSI_X_table_is_refused_and_both_are_named()
    {
        var log = new CallLog();
        var host = new FakeHostFunction(new ConfigBuilder().Bar(0, 0, 0x4000).Msix(0x50, 4, 0, 0x1000, 0x2000).Build(), log);
        var handlers = new BarHandlerList();
        new FunctionMirrors(host, handlers).Add(new(0), At, 0x100);
        var failure = Assert.Throws<HandlerException>(
            () => new AssignedFunction(host, new FakeAddressMap(log), handlers, new AssignedOptions()));
        Assert.Equal("MSI-X table (BAR0 1000h to 103fh) overlaps config mirror (1000h to 10ffh)", failure.Message);
    }

    private static RecordedFunction Display(ushort device) => new ConfigBuilder()
        .Set16(Header.VendorId, 0x10DE).Set16(Header.DeviceId, device).Set8(Header.ClassCode + 2, 3)
        .Bar(0, 0, 0x100_0000).Msi(0x68, 0)
        .Extended(0x100, (ExtendedCapabilityId)0x0002).Extended(0x128, ExtendedCapabilityId.PowerBudgeting)
        .Extended(0x600, ExtendedCapabilityId.VendorSpecific).Set32(0x604, 0x8000_0000).Build();

    private static Guest Mirrored(RecordedFunction recorded, out int size)
    {
        var handlers = new BarHandlerList();
        FunctionMirrors? mirrors = null;
        var configSize = 0;
        var guest = new Guest(recorded, host =>
        {
            foreach (var region in host.Regions)
                region.Recording = false;
            mirrors = new FunctionMirrors(host, handlers);
            mirrors.Add(new(0), At, 0x1000);
            configSize = host.Config.Size;
        }, handlers);
        mirrors!.Bind(guest.Function);
        size = configSize;
        return guest;
    }
}
