using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

public sealed class MsixTests
{
    private const ulong Base = 0xD000_0000;
    private const uint PendingBits = 0x1000;
    private const int Control = 0x52;

    [Fact]
    public void Every_entry_is_masked_and_zero_at_first()
    {
        using var guest = Eight();
        for (var vector = 0u; vector < 8; vector++)
        {
            Assert.Equal(0ul, Read(guest, vector * 16, AccessWidth.Qword));
            Assert.Equal(1ul << 32, Read(guest, (vector * 16) + 8, AccessWidth.Qword));
        }
    }

    [Fact]
    public void An_unmasked_entry_is_bound_with_its_message_when_MSI_X_is_enabled()
    {
        using var guest = Eight();
        Entry(guest, 2, 0x0000_0001_FEE0_1000, 0x4022, false);
        Assert.Empty(guest.Log.Of("msix"));
        guest.Write16(Control, Msix.Enable);
        Assert.Equal(["intx.disable", "msix.enable 8", "msix.unmask 2 1fee01000 4022"], guest.Log.Of("intx", "msix"));
    }

    [Fact]
    public void A_vector_is_bound_as_it_is_unmasked_and_freed_as_it_is_masked()
    {
        using var guest = Enabled();
        Entry(guest, 3, 0xFEE0_0000, 0x31, true);
        Assert.Empty(guest.Log.Of("msix"));
        Mask(guest, 3, false);
        Mask(guest, 3, false);
        Mask(guest, 3, true);
        Mask(guest, 3, true);
        Assert.Equal(["msix.unmask 3 fee00000 31", "msix.mask 3"], guest.Log.Of("msix"));
    }

    [Fact]
    public void An_interrupt_of_a_masked_vector_is_pending_and_comes_once_when_it_is_unmasked()
    {
        using var guest = Enabled();
        Entry(guest, 5, 0xFEE0_0000, 0x55, true);
        guest.Host.Msix!.Fire(5);
        Assert.Equal(1ul << 5, Read(guest, PendingBits, AccessWidth.Qword));
        Assert.Equal(1ul << 5, Read(guest, PendingBits, AccessWidth.Byte));
        Assert.Equal(0ul, Read(guest, PendingBits + 1, AccessWidth.Byte));
        Write(guest, PendingBits, AccessWidth.Dword, 0);
        Assert.Equal(1ul << 5, Read(guest, PendingBits, AccessWidth.Dword));
        Mask(guest, 5, false);
        Assert.Equal(new MsiMessage(0xFEE0_0000, 0x55), Assert.Single(guest.Host.Msix!.Delivered));
        Assert.Equal(0ul, Read(guest, PendingBits, AccessWidth.Qword));
    }

    [Fact]
    public void A_vector_that_was_never_unmasked_is_pending_when_the_device_says_so()
    {
        using var guest = Enabled();
        guest.Host[0].Pending.Bytes[0] = 1 << 6;

        Assert.Equal(1ul << 6, Read(guest, PendingBits, AccessWidth.Qword));
        Assert.Equal(1ul << 6, Read(guest, PendingBits, AccessWidth.Dword));
        Assert.Equal(1ul << 6, Read(guest, PendingBits, AccessWidth.Byte));
        Assert.Equal(0ul, Read(guest, PendingBits + 1, AccessWidth.Byte));
    }

    [Fact]
    public void The_devices_pending_bits_do_not_show_for_unmasked_vectors_those_beyond_the_table_and_with_MSI_X_off()
    {
        using var guest = Enabled();
        guest.Host[0].Pending.Bytes.AsSpan().Fill(0xFF);
        Entry(guest, 2, 0xFEE0_0000, 0x42, false);

        Assert.Equal(0xFBul, Read(guest, PendingBits, AccessWidth.Qword));
        guest.Write16(Control, 0);
        Assert.Equal(0ul, Read(guest, PendingBits, AccessWidth.Qword));
    }

    [Fact]
    public void A_device_that_does_not_answer_holds_nothing_back()
    {
        using var guest = Enabled();
        guest.Host.Msix!.Fire(5);

        guest.Host[0].Gone = true;

        Assert.Equal(1ul << 5, Read(guest, PendingBits, AccessWidth.Qword));
    }

    [Fact]
    public void The_function_mask_holds_all_vectors_and_lets_those_go_that_are_unmasked()
    {
        using var guest = Enabled();
        Entry(guest, 0, 0xFEE0_0000, 0x40, false);
        Entry(guest, 1, 0xFEE0_0000, 0x41, true);
        guest.Write16(Control, Msix.Enable | Msix.FunctionMask);
        Assert.Null(guest.Host.Msix![0]);
        guest.Host.Msix!.Fire(0);
        guest.Host.Msix!.Fire(1);
        Assert.Equal(3ul, Read(guest, PendingBits, AccessWidth.Qword));
        guest.Write16(Control, Msix.Enable);
        Assert.Equal(0x40u, Assert.Single(guest.Host.Msix!.Delivered).Data);
        Assert.Equal(2ul, Read(guest, PendingBits, AccessWidth.Qword));
    }

    [Fact]
    public void Entries_written_under_the_function_mask_are_bound_once_when_it_goes()
    {
        using var guest = Eight();
        guest.Write16(Control, Msix.Enable | Msix.FunctionMask);
        guest.Log.Clear();
        for (var vector = 0; vector < 8; vector++)
            Entry(guest, vector, 0xFEE0_0000, (uint)(0x40 + vector), false);
        Assert.Empty(guest.Log.Of("msix"));
        guest.Write16(Control, Msix.Enable);
        Assert.Equal(Enumerable.Range(0, 8).Select(static v => $"msix.unmask {v} fee00000 {0x40 + v:x}"), guest.Log.Of("msix"));
    }

    [Fact]
    public void A_new_message_for_an_unmasked_vector_is_in_force_at_once()
    {
        using var guest = Enabled();
        Entry(guest, 0, 0xFEE0_0000, 0x40, false);
        Write(guest, 8, AccessWidth.Dword, 0x41);
        guest.Host.Msix!.Fire(0);
        Assert.Equal(new MsiMessage(0xFEE0_0000, 0x41), Assert.Single(guest.Host.Msix!.Delivered));
    }

    [Fact]
    public void A_message_written_in_one_qword_is_the_same_as_in_dwords()
    {
        using var guest = Enabled();
        Write(guest, 16, AccessWidth.Qword, 0x0000_0002_FEE0_3000);
        Write(guest, 24, AccessWidth.Qword, 0x99);
        Assert.Equal("msix.unmask 1 2fee03000 99", Assert.Single(guest.Log.Of("msix")));
        Assert.Equal(0xFEE0_3000ul, Read(guest, 16, AccessWidth.Dword));
        Assert.Equal(2ul, Read(guest, 20, AccessWidth.Dword));
    }

    [Fact]
    public void Disabling_keeps_the_table_and_frees_the_vectors()
    {
        using var guest = Enabled();
        Entry(guest, 0, 0xFEE0_0000, 0x40, false);
        guest.Log.Clear();
        guest.Write16(Control, 0);
        Assert.Equal(["msix.disable", "intx.enable"], guest.Log.Lines);
        Assert.Equal(0x40ul, Read(guest, 8, AccessWidth.Qword));
        Assert.Equal(0ul, Read(guest, PendingBits, AccessWidth.Qword));
        guest.Log.Clear();
        guest.Write16(Control, Msix.Enable);
        Assert.Equal(["intx.disable", "msix.enable 8", "msix.unmask 0 fee00000 40"], guest.Log.Of("intx", "msix"));
    }

    [Fact]
    public void The_control_register_has_two_bits_that_can_be_written()
    {
        using var guest = Eight();
        guest.Write16(Control, 0xFFFF);
        Assert.Equal(0xC007, guest.Read16(Control));
        guest.Write16(Control, 0);
        Assert.Equal(0x0007, guest.Read16(Control));
    }

    [Fact]
    public void Enabling_by_the_upper_byte_alone_counts()
    {
        using var guest = Eight();
        guest.Write8(Control + 1, 0x80);
        Assert.Equal(8, guest.Host.Msix!.Enabled);
        Assert.Equal("MSI-X", guest.Function.InterruptKind);
    }

    [Fact]
    public void A_host_that_cannot_enable_leaves_the_guest_without_interrupts_and_alive()
    {
        using var guest = Eight();
        guest.Host.Msix!.Refuses = true;
        guest.Write16(Control, Msix.Enable);
        Entry(guest, 0, 0xFEE0_0000, 0x40, false);
        Assert.Equal(0ul, Read(guest, PendingBits, AccessWidth.Qword));
        guest.Write16(Control, 0);
        Assert.True(guest.Host.Intx!.Enabled);
    }

    [Fact]
    public void A_guest_is_shown_as_many_vectors_as_the_host_can_deliver()
    {
        using var guest = new Guest(
            new ConfigBuilder().Bar(0, 0, 0x4000).Msix(0x50, 64, 0, 0, PendingBits).Build(),
            static host => host.Msix = new FakeMessageInterrupts("msix", 10, new CallLog()));
        Assert.Equal(9, guest.Read16(Control));
        guest.Write16(Control, Msix.Enable);
        Assert.Equal(10, guest.Host.Msix!.Enabled);
    }

    [Fact]
    public void The_largest_table_works_to_its_last_vector()
    {
        using var guest = new Guest(new ConfigBuilder().Bar(0, 0, 0x2_0000).Msix(0x50, 2048, 0, 0x8000, 0x1_0000).Build());
        Decode(guest);
        guest.Write16(Control, Msix.Enable);
        Write(guest, 0x8000 + (2047 * 16), AccessWidth.Dword, 0xFEE0_0000);
        guest.Host.Msix!.Fire(2047);
        Assert.Equal(0x80ul, Read(guest, 0x1_0000 + 255, AccessWidth.Byte));
        Write(guest, 0x8000 + (2047 * 16) + 12, AccessWidth.Dword, 0);
        Assert.Single(guest.Host.Msix!.Delivered);
    }

    [Fact]
    public void What_lies_behind_the_table_in_its_page_is_the_devices_own()
    {
        using var guest = Eight();
        Assert.Equal(FakeRegion.Pattern(128, AccessWidth.Dword), Read(guest, 128, AccessWidth.Dword));
        Assert.Equal(FakeRegion.Pattern(PendingBits + 8, AccessWidth.Dword), Read(guest, PendingBits + 8, AccessWidth.Dword));
        Assert.Empty(guest.Log.Of("BAR0.write"));
        Write(guest, 0, AccessWidth.Qword, ulong.MaxValue);
        Write(guest, PendingBits, AccessWidth.Qword, ulong.MaxValue);
        Assert.Empty(guest.Log.Of("BAR0.write"));
    }

    [Fact]
    public void A_handler_that_overlaps_the_table_is_refused_and_both_are_named()
    {
        var handlers = new BarHandlerList();
        handlers.Add(new BarHandlerRange(new(0), 0x40, 4, "doorbell", new FakeHandler()));
        var failure = Assert.Throws<HandlerException>(() => Eight(handlers));
        Assert.Contains("doorbell", failure.Message, StringComparison.Ordinal);
        Assert.Contains("MSI-X table", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_sequence_of_table_and_control_writes_binds_what_the_table_says() => Properties.Hold(Properties.Seeds, static seed =>
    {
        var random = new Random(seed);
        using var guest = Eight();
        for (var i = 0; i < 100; i++)
        {
            var width = (AccessWidth)(1 << random.Next(4));
            if (random.Next(8) == 0)
                guest.Write16(Control, (uint)random.Next(4) << 14);
            else if (random.Next(8) == 0 && guest.Host.Msix!.Enabled > 0)
                guest.Host.Msix!.Fire(random.Next(8));
            else
                Write(guest, (uint)random.Next(129 - (int)width), width, (ulong)random.NextInt64() & width.AllOnes());
            AssertAgrees(guest);
        }
    });

    private static void AssertAgrees(Guest guest)
    {
        var control = guest.Read16(Control);
        Assert.Equal((control & Msix.Enable) != 0, guest.Host.Msix!.Enabled == 8);
        for (var vector = 0; vector < 8; vector++)
        {
            var at = (uint)vector * 16;
            var live = (control >> 14) == 2 && (Read(guest, at + 12, AccessWidth.Dword) & 1) == 0;
            var message = new MsiMessage(Read(guest, at, AccessWidth.Qword) & ~3ul, (uint)Read(guest, at + 8, AccessWidth.Dword));
            Assert.Equal(live ? message : null, guest.Host.Msix![vector]);
            var pending = (control & Msix.Enable) != 0 && guest.Host.Msix!.IsPending(vector);
            Assert.Equal(pending, (Read(guest, PendingBits, AccessWidth.Qword) >> vector & 1) != 0);
        }
    }

    private static Guest Eight(BarHandlerList? handlers = null)
    {
        var guest = new Guest(new ConfigBuilder().Bar(0, 0, 0x4000).Msix(0x50, 8, 0, 0, PendingBits).Build(), null, handlers);
        Decode(guest);
        return guest;
    }

    private static Guest Enabled()
    {
        var guest = Eight();
        guest.Write16(Control, Msix.Enable);
        guest.Log.Clear();
        return guest;
    }

    private static void Decode(Guest guest)
    {
        guest.PlaceBar(0, Base);
        guest.Command(CommandBits.Memory);
        guest.Log.Clear();
    }

    private static void Entry(Guest guest, int vector, ulong address, uint data, bool masked)
    {
        Write(guest, ((uint)vector * 16) + 12, AccessWidth.Dword, 1);
        Write(guest, (uint)vector * 16, AccessWidth.Dword, (uint)address);
        Write(guest, ((uint)vector * 16) + 4, AccessWidth.Dword, address >> 32);
        Write(guest, ((uint)vector * 16) + 8, AccessWidth.Dword, data);
        Mask(guest, vector, masked);
    }

    private static void Mask(Guest guest, int vector, bool masked) =>
        Write(guest, ((uint)vector * 16) + 12, AccessWidth.Dword, masked ? 1u : 0);

    private static ulong Read(Guest guest, uint offset, AccessWidth width) => guest.Map.Read(AddressSpaceKind.Memory, Base + offset, width);

    private static void Write(Guest guest, uint offset, AccessWidth width, ulong value) =>
        guest.Map.Write(AddressSpaceKind.Memory, Base + offset, width, value);
}
