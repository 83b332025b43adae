using System.Globalization;

namespace Hatchway.Lab.Tests;

/// <summary>A host with devices that a few instructions can make interrupt, by every kind of interrupt that there is.</summary>
public sealed class InterruptHost : IDisposable
{
    public LabHost Host { get; } = new(
        "-d", "edu", "-d", "nec-usb-xhci",
        "-d", "nvme,msix_qsize=2048", "-d", "nvme,msix_qsize=2048",
        "-d", "e1000e",
        "-d", "ich9-usb-ehci1,id=ehci,addr=0e.7,multifunction=on",
        "-d", "ich9-usb-uhci1,masterbus=ehci.0,firstport=0,addr=0e.0,multifunction=on",
        "-d", "ich9-usb-uhci2,masterbus=ehci.0,firstport=2,addr=0e.1,multifunction=on",
        "-d", "ich9-usb-uhci3,masterbus=ehci.0,firstport=4,addr=0e.2,multifunction=on",
        "--bind", "all");

    public void Dispose() => Host.Dispose();

    /// <summary>Runs a guest that powers off when all was as it should be, and resets otherwise.</summary>
    internal CommandResult Run(byte[] guest, string options)
    {
        File.WriteAllBytes(Host.PathOf("tiny.elf"), guest);
        return Host.Run(
            $"{Repository.Program} run --stats {Host.PathOf("stats.json")} {Guests.Bridges} {options} --kernel {Host.PathOf("tiny.elf")} tiny",
            Guests.Bound);
    }
}

/// <summary>Interrupts while what they depend on changes.</summary>
public sealed class InterruptTests(InterruptHost interrupting) : IClassFixture<InterruptHost>
{
    // Slot 7, pin A: input 16 + 7 of the I/O APIC.
    private const int Input = 23;

    [Fact]
    public void A_device_that_is_switched_from_the_pin_to_msi_and_back_interrupts_once_each_time()
    {
        var run = interrupting.Run(TinyGuest.SwitchingEdu(7, Input, Rounds(1000)), "-s 7:0,passthru,0/6/0");

        Assert.True(run.Status == 1, run.Output);
    }

    [Fact]
    public void A_device_that_is_switched_between_the_pin_and_msi_x_and_msi_interrupts_once_each_time()
    {
        var run = interrupting.Run(TinyGuest.SwitchingXhci(7, Input, Rounds(500)), "-s 7:0,passthru,0/7/0");

        Assert.True(run.Status == 1, run.Output);
    }

    private static uint Rounds(uint usual) =>
        Environment.GetEnvironmentVariable("HATCHWAY_LAB_ROUNDS") is { Length: > 0 } asked ? uint.Parse(asked, CultureInfo.InvariantCulture) : usual;
}
