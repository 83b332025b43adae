using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>A virtio function as a guest finds it on the bus (VIRTIO 1.2 §4.1).</summary>
public sealed class TransportTests : IDisposable
{
    private const ulong Data = 0x2_0000;

    private readonly Driver _driver = new(static memory => new EchoDevice(memory));

    public void Dispose() => _driver.Dispose();

    [Fact]
    public void It_is_a_modern_device_with_a_64_bit_bar_and_a_pin()
    {
        Assert.Equal(0x1AF4u, _driver.GetConfig(Header.VendorId, AccessWidth.Word));
        Assert.Equal(0x1040u + 42, _driver.GetConfig(Header.DeviceId, AccessWidth.Word));
        Assert.Equal(1u, _driver.GetConfig(Header.RevisionId, AccessWidth.Byte));
        Assert.Equal(BarBits.Type64, _driver.GetConfig(Header.Bar0, AccessWidth.Dword) & BarBits.MemoryFlagsMask);
        Assert.Equal(1u, _driver.GetConfig(Header.InterruptPin, AccessWidth.Byte));
        Assert.Equal((1ul << 34) | (1ul << 32) | (1ul << 29) | (1ul << 28) | 1, _driver.DeviceFeatures);
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData((1ul << 32) | (1ul << 40))]
    public void Features_without_version_1_or_beyond_the_offer_are_not_agreed_to(ulong features)
    {
        _driver.Status = Driver.Acknowledge | Driver.HasDriver;

        _driver.Negotiate(features);

        Assert.Equal(0, _driver.Status & Driver.FeaturesOk);
        _driver.Status |= Driver.DriverOk;
        Assert.Equal(0, _driver.Status & Driver.DriverOk);
    }

    [Fact]
    public void A_queue_that_there_is_not_has_no_size()
    {
        _driver.SetCommon(0x16, AccessWidth.Word, 0);
        Assert.Equal(256ul, _driver.Common(0x18, AccessWidth.Word));
        _driver.SetCommon(0x16, AccessWidth.Word, 1);
        Assert.Equal(0ul, _driver.Common(0x18, AccessWidth.Word));
    }

    [Theory]
    [InlineData(0x20)]
    [InlineData(0x28)]
    [InlineData(0x30)]
    public void A_queues_address_is_written_and_read_in_halves(int at)
    {
        _driver.SetCommon(at + 4, AccessWidth.Dword, 0x12);
        _driver.SetCommon(at, AccessWidth.Dword, 0x8765_4000);
        Assert.Equal(0x8765_4000ul, _driver.Common(at, AccessWidth.Dword));
        Assert.Equal(0x12ul, _driver.Common(at + 4, AccessWidth.Dword));
        _driver.SetCommon(at + 4, AccessWidth.Dword, 0);
        Assert.Equal(0x8765_4000ul, _driver.Common(at, AccessWidth.Dword));
        Assert.Equal(0ul, _driver.Common(at + 4, AccessWidth.Dword));
        Assert.Equal(uint.MaxValue, _driver.Common(at + 2, AccessWidth.Dword));
    }

    [Fact]
    public void A_vector_that_there_is_not_reads_as_none()
    {
        _driver.SetCommon(0x10, AccessWidth.Word, 1);
        Assert.Equal(1ul, _driver.Common(0x10, AccessWidth.Word));
        _driver.SetCommon(0x10, AccessWidth.Word, 2);
        Assert.Equal(0xFFFFul, _driver.Common(0x10, AccessWidth.Word));
    }

    [Fact]
    public void A_write_of_zero_to_the_status_resets_all()
    {
        _driver.Start(new DriverOptions());
        _driver.Status = 0;

        Assert.Equal(0, _driver.Status);
        Assert.Equal(0xFFFFul, _driver.Common(0x10, AccessWidth.Word));
        _driver.SetCommon(0x16, AccessWidth.Word, 0);
        Assert.Equal(0ul, _driver.Common(0x1C, AccessWidth.Word));
        _driver.Ring.Offer(false, new Piece(Data, 8, true));
        _driver.Notify();
        Assert.False(_driver.Ring.TryTake(out _, out _));
    }

    [Fact]
    public void Config_space_is_a_way_to_the_bar_too()
    {
        var at = _driver.Capability(5);
        // Device status: BAR 0, the offset in the common structure, one byte.
        _driver.SetConfig(at + 4, AccessWidth.Byte, 0);
        _driver.SetConfig(at + 8, AccessWidth.Dword, (uint)_driver.At(1) + 0x14);
        _driver.SetConfig(at + 12, AccessWidth.Dword, 1);
        _driver.SetConfig(at + 16, AccessWidth.Byte, Driver.Acknowledge);

        Assert.Equal(Driver.Acknowledge, _driver.Status);
        Assert.Equal((uint)Driver.Acknowledge, _driver.GetConfig(at + 16, AccessWidth.Byte));

        _driver.SetConfig(at + 8, AccessWidth.Dword, (uint)_driver.At(4));
        _driver.SetConfig(at + 12, AccessWidth.Dword, 4);
        Assert.Equal(0x1234_5678u, _driver.GetConfig(at + 16, AccessWidth.Dword));
        // An access may be wider than what it leads to, and not narrower.
        _driver.SetConfig(at + 12, AccessWidth.Dword, 2);
        Assert.Equal(0x5678u, _driver.GetConfig(at + 16, AccessWidth.Dword));
        Assert.Equal(0u, _driver.GetConfig(at + 16, AccessWidth.Byte));
        _driver.SetConfig(at + 8, AccessWidth.Dword, (uint)_driver.At(1) + 0x14);
        _driver.SetConfig(at + 12, AccessWidth.Dword, 1);
        _driver.SetConfig(at + 16, AccessWidth.Dword, 0xABCD_EF00 | Driver.Acknowledge | Driver.HasDriver);
        Assert.Equal(Driver.Acknowledge | Driver.HasDriver, _driver.Status);
        // An invalid length accesses nothing.
        _driver.SetConfig(at + 8, AccessWidth.Dword, (uint)_driver.At(4));
        _driver.SetConfig(at + 12, AccessWidth.Dword, 3);
        Assert.NotEqual(0x1234_5678u, _driver.GetConfig(at + 16, AccessWidth.Dword));
    }

    [Fact]
    public void The_doorbell_is_wired_where_the_bar_is_and_moves_with_it()
    {
        Assert.Equal(Driver.Bar + _driver.At(2), Assert.Single(_driver.Host.Doorbells).Key);

        _driver.SetConfig(Header.Bar0, AccessWidth.Dword, 0xD000_0000);
        Assert.Equal(0xD000_0000 + _driver.At(2), Assert.Single(_driver.Host.Doorbells).Key);

        _driver.SetConfig(Header.Command, AccessWidth.Word, 0);
        Assert.Empty(_driver.Host.Doorbells);
    }

    [Fact]
    public void Of_its_own_it_holds_no_message_back()
    {
        _driver.Start(new DriverOptions());
        _driver.SetMsix(12, Msix.VectorMasked);

        Assert.Equal(0ul, _driver.GetMsix(Msix.Pba, 0, AccessWidth.Qword));
    }

    [Fact]
    public void Msix_is_in_a_bar_that_holds_none_of_the_structures()
    {
        var table = _driver.GetConfig(_driver.MsixAt + Msix.Table, AccessWidth.Dword) & Msix.BirMask;
        var pending = _driver.GetConfig(_driver.MsixAt + Msix.Pba, AccessWidth.Dword) & Msix.BirMask;
        var structures = new[] { 1, 2, 3, 4 }.Select(type => _driver.GetConfig(_driver.Capability(type) + 4, AccessWidth.Byte));

        Assert.DoesNotContain(table, structures);
        Assert.DoesNotContain(pending, structures);
        // The table has an entry for each vector there, each masked, and nothing of the driver's changes what is between.
        Assert.Equal(Msix.VectorMasked, (uint)_driver.GetMsix(Msix.Table, 12, AccessWidth.Dword));
        Assert.Equal(0ul, _driver.GetMsix(Msix.Table, 2 * Msix.EntryBytes, AccessWidth.Dword));
        Assert.Equal([BarKind.Memory64, BarKind.Memory32], _driver.Function.Windows.Select(static window => window.Bar.Kind));
    }

    [Fact]
    public void With_msix_the_register_that_says_why_stays_empty_and_the_pin_low()
    {
        _driver.Start(new DriverOptions());
        _driver.Ring.WantInterrupt(after: 0);
        _driver.Ring.Offer(false, new Piece(Data, 8, true));
        _driver.Notify();

        Assert.Equal(1, _driver.Host.Signals(1));
        Assert.Equal(0ul, _driver.Window.Read(_driver.At(3), AccessWidth.Byte));
        Assert.Equal(0, _driver.Host.LineInterrupts);
    }

    [Fact]
    public void With_msix_the_register_that_says_why_tells_of_a_changed_configuration_and_the_pin_stays_low()
    {
        _driver.Start(new DriverOptions());
        // Nothing is at this address, so that the device needs a reset, of which it tells as of a change (§2.1.2).
        _driver.Ring.Offer(false, new Piece(1ul << 40, 8, true));
        _driver.Notify();

        Assert.Equal(1, _driver.Host.Signals(0));
        Assert.Equal((0u, 0), (_driver.GetConfig(Header.Status, AccessWidth.Word) & 8, _driver.Host.LineInterrupts));
        // A driver that goes back to the pin is not told of it once more.
        _driver.SetConfig(_driver.MsixAt + Msix.Control, AccessWidth.Word, 0);
        Assert.Equal((0u, 0), (_driver.GetConfig(Header.Status, AccessWidth.Word) & 8, _driver.Host.LineInterrupts));
        Assert.Equal(2ul, _driver.Window.Read(_driver.At(3), AccessWidth.Byte));
        Assert.Equal(0ul, _driver.Window.Read(_driver.At(3), AccessWidth.Byte));
    }

    [Fact]
    public void A_buffer_that_could_not_be_handled_keeps_no_reset_waiting()
    {
        using var driver = new Driver(static memory => new EchoDevice(memory) { Fails = true });
        driver.Start(new DriverOptions());
        driver.Ring.Offer(false, new Piece(Data, 8, true));
        Assert.Throws<NotSupportedException>(driver.Notify);

        driver.Status = 0;

        Assert.Equal(0, driver.Status);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_a_queue_was_for_with_the_driver_before_it_is_not_with_the_next(bool keeps)
    {
        var device = new ChoosingDevice(keeps);
        using var driver = new Driver(_ => device);
        driver.Start(new DriverOptions());
        var next = new Thread(() =>
        {
            driver.Start(new DriverOptions());
            driver.Ring.Offer(false, new Piece(Data, 8, true));
        });
        // It has to wait, or else is done in far less.
        device.Meanwhile = () =>
        {
            next.Start();
            next.Join(TimeSpan.FromMilliseconds(500));
        };

        driver.Virtio.Serve(0, 0);

        Assert.Equal(0, device.Handled);
        next.Join();
        driver.Notify();
        Assert.Equal(1, device.Handled);
    }

    [Fact]
    public void A_device_that_is_let_go_takes_no_buffer_any_more()
    {
        _driver.Start(new DriverOptions());
        _driver.Virtio.Stop();

        _driver.Ring.Offer(false, new Piece(Data, 8, true));
        _driver.Notify();

        Assert.False(_driver.Ring.TryTake(out _, out _));
    }

    [Fact]
    public void Without_msix_the_pin_is_asserted_until_the_driver_reads_why()
    {
        _driver.Start(new DriverOptions(Msix: false));
        _driver.Ring.WantInterrupt(after: 0);
        _driver.Ring.Offer(false, new Piece(Data, 8, true));
        _driver.Notify();

        Assert.True(_driver.Host.IsLineUp);
        Assert.Equal(8u, _driver.GetConfig(Header.Status, AccessWidth.Word) & 8);
        Assert.Equal(1ul, _driver.Window.Read(_driver.At(3), AccessWidth.Byte));
        Assert.False(_driver.Host.IsLineUp);
        Assert.Equal(0ul, _driver.Window.Read(_driver.At(3), AccessWidth.Byte));
    }

    [Fact]
    public void A_function_may_have_no_msix_at_all()
    {
        using var driver = new Driver(static memory => new EchoDevice(memory), msix: false);
        driver.Start(new DriverOptions(Msix: false));
        var first = (int)driver.GetConfig(Header.CapabilitiesPointer, AccessWidth.Byte);
        Assert.NotEqual((uint)CapabilityId.Msix, driver.GetConfig(first, AccessWidth.Byte));
        Assert.Single(driver.Function.Windows);
        Assert.Equal(0xFFFFul, driver.Common(0x1A, AccessWidth.Word));
        driver.Ring.WantInterrupt(after: 0);
        driver.Ring.Offer(false, new Piece(Data, 8, true));
        driver.Notify();

        Assert.Equal(1, driver.Host.LineInterrupts);
    }

    [Fact]
    public void The_command_register_holds_the_pin_back()
    {
        _driver.Start(new DriverOptions(Msix: false));
        _driver.SetConfig(Header.Command, AccessWidth.Word, (uint)(CommandBits.Memory | CommandBits.BusMaster | CommandBits.IntxDisable));
        _driver.Ring.WantInterrupt(after: 0);
        _driver.Ring.Offer(false, new Piece(Data, 8, true));
        _driver.Notify();

        Assert.False(_driver.Host.IsLineUp);
        _driver.SetConfig(Header.Command, AccessWidth.Word, (uint)(CommandBits.Memory | CommandBits.BusMaster));
        Assert.True(_driver.Host.IsLineUp);
    }

    [Fact]
    public void Memory_is_not_touched_while_the_function_is_no_bus_master()
    {
        _driver.Start(new DriverOptions());
        _driver.SetConfig(Header.Command, AccessWidth.Word, (uint)CommandBits.Memory);
        _driver.Ring.Offer(false, new Piece(Data, 8, true));
        _driver.Notify();
        Assert.False(_driver.Ring.TryTake(out _, out _));

        _driver.SetConfig(Header.Command, AccessWidth.Word, (uint)(CommandBits.Memory | CommandBits.BusMaster));
        _driver.Serve();
        Assert.True(_driver.Ring.TryTake(out _, out _));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_queue_may_be_set_up_when_the_device_runs_already(bool isBusMaster)
    {
        _driver.Start(new DriverOptions());
        var ring = _driver.Ring;
        StartWithoutQueues();
        if (!isBusMaster)
            _driver.SetConfig(Header.Command, AccessWidth.Word, (uint)CommandBits.Memory);

        ring.Offer(false, new Piece(Data, 8, true));
        _driver.SetUpQueue(0, ring.Size, DriverRing.Descriptors, DriverRing.Driver, DriverRing.Device);
        _driver.Serve();

        Assert.Equal(isBusMaster, ring.TryTake(out _, out _));
        _driver.SetConfig(Header.Command, AccessWidth.Word, (uint)(CommandBits.Memory | CommandBits.BusMaster));
        _driver.Serve();
        Assert.Equal(!isBusMaster, ring.TryTake(out _, out _));
        ring.Offer(false, new Piece(Data, 8, true));
        _driver.Notify();
        Assert.True(ring.TryTake(out _, out _));
    }

    [Fact]
    public void A_queue_that_is_set_up_late_and_wrongly_needs_a_reset()
    {
        StartWithoutQueues();

        _driver.SetUpQueue(0, 8, DriverRing.Descriptors, 1ul << 40, DriverRing.Device);

        Assert.Equal(Driver.NeedsReset, _driver.Status & Driver.NeedsReset);
    }

    [Fact]
    public void What_was_offered_before_the_driver_was_ready_is_found()
    {
        _driver.Start(new DriverOptions());
        var ring = _driver.Ring;
        _driver.Status = 0;
        _driver.Status = Driver.Acknowledge | Driver.HasDriver;
        _driver.Negotiate(1ul << 32);
        _driver.SetUpQueue(0, ring.Size, DriverRing.Descriptors, DriverRing.Driver, DriverRing.Device);
        ring.Offer(false, new Piece(Data, 8, true));

        _driver.Status |= Driver.DriverOk;
        _driver.Serve();

        Assert.True(ring.TryTake(out _, out _));
    }

    private void StartWithoutQueues()
    {
        _driver.Status = 0;
        _driver.Status = Driver.Acknowledge | Driver.HasDriver;
        _driver.Negotiate(1ul << 32);
        _driver.Status |= Driver.DriverOk;
        _driver.Serve();
    }
}
