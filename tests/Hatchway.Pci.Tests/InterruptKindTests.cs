using Hatchway.Pci.Spec;
using Hatchway.Pci.Tests.Fakes;

namespace Hatchway.Pci.Tests;

/// <summary>Which of INTx, MSI and MSI-X is in use, and the switch from one to another.</summary>
public sealed class InterruptKindTests
{
    private const int PowerControl = 0x44;
    private const int MsiControl = 0x52;
    private const int MsixControl = 0x72;

    [Fact]
    public void INTx_is_connected_from_the_first_moment()
    {
        using var guest = new Guest("rtl8139");
        Assert.Equal(["intx.enable"], guest.Log.Lines);
        Assert.Equal("INTx", guest.Function.InterruptKind);
    }

    [Fact]
    public void Each_kind_goes_off_before_the_next_comes_on()
    {
        using var guest = All();
        guest.Write16(MsiControl, 1);
        guest.Write16(MsixControl, Msix.Enable);
        guest.Write16(MsiControl, 0);
        guest.Write16(MsixControl, 0);
        Assert.Equal(
            [
                "intx.disable", "msi.enable 1", "msi.unmask 0 0 0",
                "msi.disable", "msix.enable 4",
                "msix.disable", "intx.enable",
            ],
            guest.Log.Of("intx", "msi"));
    }

    [Fact]
    public void When_MSI_X_goes_MSI_comes_back_if_it_is_still_on()
    {
        using var guest = All();
        guest.Write16(MsiControl, 1);
        guest.Write16(MsixControl, Msix.Enable);
        guest.Write16(MsixControl, 0);
        Assert.Equal("MSI", guest.Function.InterruptKind);
        Assert.Equal(1, guest.Host.Msi!.Enabled);
        Assert.NotNull(guest.Host.Msi![0]);
        Assert.Equal(0, guest.Host.Msix!.Enabled);
    }

    [Fact]
    public void MSI_that_is_programmed_while_MSI_X_is_on_stays_off()
    {
        using var guest = All();
        guest.Write16(MsixControl, Msix.Enable);
        guest.Log.Clear();
        guest.Write32(0x54, 0xFEE0_0000);
        guest.Write16(MsiControl, 1);
        Assert.Empty(guest.Log.Of("msi", "intx"));
    }

    [Fact]
    public void A_function_without_any_interrupt_has_none_and_works()
    {
        using var guest = new Guest("pci-testdev");
        Assert.Equal("none", guest.Function.InterruptKind);
        guest.Write16(Header.Command, 0xFFFF);
        Assert.Empty(guest.Log.Of("intx", "msi"));
    }

    [Fact]
    public void A_function_with_MSI_only_has_nothing_to_fall_back_on()
    {
        using var guest = new Guest(new ConfigBuilder(256).Set8(Header.InterruptPin, 0).Msi(0x50, 0).Build());
        guest.Write16(MsiControl, 1);
        guest.Write16(MsiControl, 0);
        Assert.Equal(["msi.enable 1", "msi.unmask 0 0 0", "msi.disable"], guest.Log.Of("intx", "msi"));
        Assert.Equal("none", guest.Function.InterruptKind);
    }

    [Fact]
    public void A_line_that_cannot_be_connected_is_no_interrupt_and_is_tried_again_after_MSI()
    {
        using var guest = new Guest(new ConfigBuilder(256).Msi(0x50, 0).Build(), static host => host.Intx!.Refuses = true);
        Assert.Equal("none", guest.Function.InterruptKind);
        guest.Host.Intx!.Refuses = false;
        guest.Write16(MsiControl, 1);
        guest.Write16(MsiControl, 0);
        Assert.Equal("INTx", guest.Function.InterruptKind);
    }

    [Theory]
    [InlineData(MsiControl, "msi.enable 1", "MSI")]
    [InlineData(MsixControl, "msix.enable 4", "MSI-X")]
    public void Messages_that_are_switched_on_while_the_function_sleeps_come_on_when_it_wakes(int control, string enabled, string kind)
    {
        using var guest = All();
        guest.Write16(PowerControl, 3);
        guest.Write16(control, control == MsiControl ? 1u : Msix.Enable);
        Assert.Equal("INTx", guest.Function.InterruptKind);
        Assert.Empty(guest.Log.Of("intx", "msi"));
        guest.Write16(PowerControl, 0);
        Assert.Equal(kind, guest.Function.InterruptKind);
        Assert.Equal(["intx.disable", enabled], guest.Log.Of("intx", "msi").Take(2));
    }

    [Fact]
    public void Messages_that_are_switched_off_while_the_function_sleeps_go_when_it_wakes()
    {
        using var guest = All();
        guest.Write16(MsixControl, Msix.Enable);
        guest.Write16(PowerControl, 3);
        guest.Log.Clear();
        guest.Write16(MsixControl, 0);
        Assert.Empty(guest.Log.Of("intx", "msi"));
        guest.Write16(PowerControl, 0);
        Assert.Equal(["msix.disable", "intx.enable"], guest.Log.Of("intx", "msi"));
    }

    [Theory]
    [InlineData(MsiControl)]
    [InlineData(MsixControl)]
    public void Where_the_host_has_no_messages_the_pin_stays_answered_and_the_next_write_tries_again(int control)
    {
        using var guest = All();
        guest.Host.Msi!.Refuses = guest.Host.Msix!.Refuses = true;
        var enable = control == MsiControl ? 1u : Msix.Enable;
        guest.Write16(control, enable);
        Assert.Equal("INTx", guest.Function.InterruptKind);
        Assert.True(guest.Host.Intx!.Enabled);
        guest.Host.Msi!.Refuses = guest.Host.Msix!.Refuses = false;
        guest.Write16(control, enable);
        Assert.Equal(control == MsiControl ? "MSI" : "MSI-X", guest.Function.InterruptKind);
        Assert.False(guest.Host.Intx!.Enabled);
    }

    [Fact]
    public void A_write_that_has_nothing_to_do_with_interrupts_does_not_try_again()
    {
        using var guest = new Guest(new ConfigBuilder().Bar(0, 0, 0x4000).Msi(0x50, 0).Build());
        guest.Host.Msi!.Refuses = true;
        guest.Write16(MsiControl, 1);
        guest.Host.Msi!.Refuses = false;
        guest.Log.Clear();
        guest.Write16(Header.VendorId, 0);
        Assert.Empty(guest.Log.Of("intx", "msi"));
        Assert.Equal("INTx", guest.Function.InterruptKind);
    }

    [Theory]
    [InlineData(0, "intx.disable")]
    [InlineData(MsiControl, "msi.disable")]
    [InlineData(MsixControl, "msix.disable")]
    public void Taking_the_function_away_switches_off_what_is_on_and_only_once(int control, string last)
    {
        using var guest = All();
        if (control != 0)
            guest.Write16(control, control == MsiControl ? 1u : Msix.Enable);
        guest.Log.Clear();
        guest.Function.Dispose();
        guest.Function.Dispose();
        Assert.Equal([last], guest.Log.Lines);
        Assert.Equal("none", guest.Function.InterruptKind);
    }

    private static Guest All()
    {
        var guest = new Guest(new ConfigBuilder().Bar(0, 0, 0x4000).Power(0x40).Msi(0x50, 0).Msix(0x70, 4, 0, 0, 0x1000).Build());
        guest.Log.Clear();
        return guest;
    }
}
