using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

public sealed class MsiTests
{
    private const int At = 0x50;

    [Fact]
    public void One_vector_is_bound_with_the_message_when_MSI_is_enabled()
    {
        using var guest = Msi(0);
        Program(guest, 0x0000_0001_FEE0_2004, 0x4123);
        Assert.Empty(guest.Log.Of("msi", "intx"));
        guest.Write16(At + 2, 1);
        Assert.Equal(["intx.disable", "msi.enable 1", "msi.unmask 0 1fee02004 4123"], guest.Log.Of("msi", "intx"));
        Assert.Equal("MSI", guest.Function.InterruptKind);
    }

    [Fact]
    public void A_32_bit_capability_has_its_data_behind_the_low_address()
    {
        using var guest = Msi(0, address64: false);
        guest.Write32(At + 4, 0xFEE0_1000);
        guest.Write16(At + 8, 0x77);
        guest.Write16(At + 2, 1);
        Assert.Equal("msi.unmask 0 fee01000 77", guest.Log.Of("msi")[^1]);
    }

    [Fact]
    public void The_registers_have_the_bits_that_the_specification_gives_them()
    {
        using var guest = Msi(3, masking: true);
        guest.Write32(At + 4, uint.MaxValue);
        guest.Write32(At + 8, uint.MaxValue);
        guest.Write32(At + 12, uint.MaxValue);
        guest.Write32(At + 16, uint.MaxValue);
        guest.Write32(At + 20, uint.MaxValue);
        guest.Write16(At + 2, 0xFFFE);
        Assert.Equal(0xFFFF_FFFCu, guest.Read32(At + 4));
        Assert.Equal(0xFFFF_FFFFu, guest.Read32(At + 8));
        Assert.Equal(0x0000_FFFFu, guest.Read32(At + 12));
        Assert.Equal(0x0000_00FFu, guest.Read32(At + 16));
        Assert.Equal(0u, guest.Read32(At + 20));
        Assert.Equal(0x01F6, guest.Read16(At + 2));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public void Several_vectors_differ_in_the_low_bits_of_the_data(int log)
    {
        using var guest = Msi(5);
        Program(guest, 0xFEE0_0000, 0x40FF);
        guest.Write16(At + 2, (uint)((log << 4) | 1));
        var count = 1 << log;
        Assert.Equal(count, guest.Host.Msi!.Enabled);
        for (var vector = 0; vector < count; vector++)
            Assert.Equal(new MsiMessage(0xFEE0_0000, (uint)((0x40FF & ~(count - 1)) | vector)), guest.Host.Msi![vector]);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(7)]
    public void More_vectors_than_the_device_has_are_not_enabled(int log)
    {
        using var guest = Msi(1);
        guest.Write16(At + 2, (uint)((log << 4) | 1));
        Assert.Equal(2, guest.Host.Msi!.Enabled);
    }

    [Fact]
    public void A_guest_is_shown_no_more_vectors_than_the_host_can_deliver()
    {
        using var guest = new Guest(
            new ConfigBuilder().Msi(At, 5).Build(), static host => host.Msi = new FakeMessageInterrupts("msi", 5, new CallLog()));
        Assert.Equal(2 << 1, guest.Read16(At + 2) & Spec.Msi.MultipleCapableMask);
    }

    [Fact]
    public void A_masked_vector_is_pending_and_comes_when_it_is_unmasked()
    {
        using var guest = Msi(2, masking: true);
        Program(guest, 0xFEE0_0000, 0x40);
        guest.Write32(At + 16, 0b0100);
        guest.Write16(At + 2, (2 << 4) | 1);
        Assert.Null(guest.Host.Msi![2]);
        Assert.NotNull(guest.Host.Msi![3]);
        guest.Host.Msi!.Fire(2);
        Assert.Equal(0b0100u, guest.Read32(At + 20));
        Assert.Equal(0b0100u, guest.Read8(At + 20));
        Assert.Equal(0u, guest.Read16(At + 22));
        guest.Write32(At + 16, 0);
        Assert.Equal(0x42u, Assert.Single(guest.Host.Msi!.Delivered).Data);
        Assert.Equal(0u, guest.Read32(At + 20));
        guest.Write32(At + 16, 0b1000);
        Assert.Equal("msi.mask 3", guest.Log.Of("msi")[^1]);
    }

    [Fact]
    public void Of_a_vector_that_was_never_unmasked_the_pending_bit_is_the_devices_own()
    {
        using var guest = Msi(2, masking: true);
        // Vector 4 is not enabled.
        guest.Host.Config.Bytes[At + 20] = 0b1_0100;
        Program(guest, 0xFEE0_0000, 0x40);
        guest.Write32(At + 16, 0b0100);
        Assert.Equal(0u, guest.Read32(At + 20));
        guest.Write16(At + 2, (2 << 4) | 1);
        Assert.Equal(0b0100u, guest.Read32(At + 20));
        guest.Write32(At + 16, 0);
        Assert.Equal(0u, guest.Read32(At + 20));
    }

    [Fact]
    public void A_pending_bit_is_read_in_the_byte_that_it_lies_in()
    {
        using var guest = Msi(5, masking: true);
        guest.Write32(At + 16, uint.MaxValue);
        guest.Write16(At + 2, (5 << 4) | 1);
        guest.Host.Msi!.Fire(31);
        guest.Host.Msi!.Fire(9);
        Assert.Equal(0x8000_0200u, guest.Read32(At + 20));
        Assert.Equal(0x80u, guest.Read8(At + 23));
        Assert.Equal(0x02u, guest.Read8(At + 21));
        Assert.Equal(0x8000u, guest.Read16(At + 22));
    }

    [Fact]
    public void A_message_that_changes_while_MSI_is_on_is_in_force_at_once()
    {
        using var guest = Msi(0);
        Program(guest, 0xFEE0_0000, 0x40);
        guest.Write16(At + 2, 1);
        guest.Write16(At + 12, 0x41);
        guest.Host.Msi!.Fire(0);
        Assert.Equal(0x41u, Assert.Single(guest.Host.Msi!.Delivered).Data);
        guest.Log.Clear();
        guest.Write16(At + 12, 0x41);
        guest.Write16(At + 2, 1);
        Assert.Empty(guest.Log.Of("msi"));
    }

    [Fact]
    public void Another_number_of_vectors_switches_the_host_off_and_on()
    {
        using var guest = Msi(2);
        guest.Write16(At + 2, 1);
        guest.Log.Clear();
        guest.Write16(At + 2, (1 << 4) | 1);
        Assert.Equal(["msi.disable", "msi.enable 2", "msi.unmask 0 0 0", "msi.unmask 1 0 1"], guest.Log.Of("msi"));
    }

    [Fact]
    public void Disabling_gives_the_line_back()
    {
        using var guest = Msi(0);
        guest.Write16(At + 2, 1);
        guest.Log.Clear();
        guest.Write16(At + 2, 0);
        Assert.Equal(["msi.disable", "intx.enable"], guest.Log.Lines);
    }

    [Fact]
    public void A_host_that_cannot_enable_leaves_the_guest_alive()
    {
        using var guest = Msi(0, masking: true);
        guest.Host.Msi!.Refuses = true;
        guest.Write16(At + 2, 1);
        Assert.Equal(0u, guest.Read32(At + 20));
        guest.Write16(At + 2, 0);
        Assert.True(guest.Host.Intx!.Enabled);
    }

    private static Guest Msi(int log, bool address64 = true, bool masking = false)
    {
        var guest = new Guest(new ConfigBuilder(256).Msi(At, log, address64, masking).Build());
        guest.Log.Clear();
        return guest;
    }

    private static void Program(Guest guest, ulong address, uint data)
    {
        guest.Write32(At + 4, (uint)address);
        guest.Write32(At + 8, (uint)(address >> 32));
        guest.Write16(At + 12, data);
    }
}
