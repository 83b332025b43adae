using System.Globalization;

namespace Hatchway.Lab.Tests;

/// <summary>A host with devices that a few instructions can make interrupt, by every kind of interrupt.</summary>
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

    /// <summary>Runs a guest that powers off on success and resets otherwise.</summary>
    internal CommandResult Run(byte[] guest, string options)
    {
        File.WriteAllBytes(Host.PathOf("tiny.elf"), guest);
        return Host.Run(
            $"{Repository.Program} run --stats {Host.PathOf("stats.json")} {Guests.Bridges} {options} "
            + $"--kernel {Host.PathOf("tiny.elf")} tiny",
            Guests.Bound);
    }
}

/// <summary>Interrupts that arrive while their routing, masking or kind changes.</summary>
public sealed class InterruptTests(InterruptHost interrupting) : IClassFixture<InterruptHost>
{
    // Slot 7, pin A: input 16 + 7 of the I/O APIC.
    private const int Input = 23;

    [Fact]
    public void A_device_that_is_switched_from_the_pin_to_msi_and_back_interrupts_once_each_time()
    {
        var run = interrupting.Run(TinyGuest.SwitchingEdu(7, Input, Rounds(40)), "-s 7:0,passthru,0/6/0");

        Assert.True(run.Status == 1, run.Output);
    }

    [Fact]
    public void A_device_that_is_switched_between_the_pin_and_msi_x_and_msi_interrupts_once_each_time()
    {
        var run = interrupting.Run(TinyGuest.SwitchingXhci(7, Input, Rounds(40)), "-s 7:0,passthru,0/7/0");

        Assert.True(run.Status == 1, run.Output);
    }

    [Fact]
    public void A_message_that_gets_another_vector_while_it_is_masked_or_pending_comes_once()
    {
        var run = interrupting.Run(TinyGuest.MovingVectors(7, Rounds(100)), "-s 7:0,passthru,0/7/0");

        Assert.True(run.Status == 1, run.Output);
    }

    [Fact]
    public void A_message_that_gets_another_cpu_while_it_comes_is_not_lost()
    {
        var run = interrupting.Run(TinyGuest.MovingBetweenCpus(7, 10 * Rounds(100)), "-c 2 -s 7:0,passthru,0/7/0");

        Assert.True(run.Status == 1, run.Output);
    }

    [Fact]
    public void Two_devices_that_want_more_vectors_than_there_are_use_those_that_they_got()
    {
        const string Devices = "-s 7:0,passthru,0/8/0 -s 8:0,passthru,0/9/0";
        const int Later = 50;

        var all = interrupting.Run(TinyGuest.UnmaskingVectors((7, 8), 2048, Later), Devices);

        Assert.True(all.Status == 1, all.Output);
        foreach (var device in new[] { "0000:00:08.0", "0000:00:09.0" })
        {
            var line = Assert.Single(all.Output.Split('\n'), line => line.Contains(device, StringComparison.Ordinal));
            Assert.Contains("the host's CPUs have no interrupt vector left", line, StringComparison.Ordinal);
        }
        // The host has its vectors back.
        var few = interrupting.Run(TinyGuest.UnmaskingVectors((7, 8), Later + 1, Later), Devices);
        Assert.True(few.Status == 1, few.Output);
        Assert.DoesNotContain("vector", few.Output, StringComparison.Ordinal);
        Guests.AssertNothingLeft(interrupting.Host);
    }

    [Fact]
    public void The_four_pins_of_a_slot_lead_to_four_inputs()
    {
        var run = interrupting.Run(
            TinyGuest.InterruptedByFourPins(7, 20),
            "-s 7:0,passthru,0/14/0 -s 7:1,passthru,0/14/1 -s 7:2,passthru,0/14/2 -s 7:7,passthru,0/14/7");

        Assert.True(run.Status == 1, run.Output);
    }

    [Fact]
    public void A_function_level_reset_by_the_guest_gives_first_values_and_d3hot_without_a_reset_keeps_all()
    {
        var run = interrupting.Run(TinyGuest.ResettingNvme(7), "-s 7:0,passthru,0/8/0");

        Assert.True(run.Status == 1, run.Output);
    }

    [Fact]
    public void A_function_that_resets_on_the_way_from_d3hot_has_first_values_and_can_be_used_again()
    {
        var run = interrupting.Run(TinyGuest.WakingE1000e(7), "-s 7:0,passthru,0/10/0");

        Assert.True(run.Status == 1, run.Output);
    }

    private static uint Rounds(uint usual) =>
        Environment.GetEnvironmentVariable("HATCHWAY_LAB_ROUNDS") is { Length: > 0 } asked
            ? uint.Parse(asked, CultureInfo.InvariantCulture)
            : usual;
}
