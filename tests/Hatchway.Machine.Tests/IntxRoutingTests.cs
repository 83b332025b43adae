namespace Hatchway.Machine.Tests;

public sealed class IntxRoutingTests
{
    [Theory]
    [InlineData(0, 1, 16u)]
    [InlineData(0, 4, 19u)]
    [InlineData(5, 1, 21u)]
    [InlineData(7, 2, 16u)]
    [InlineData(31, 1, 23u)]
    [InlineData(31, 4, 18u)]
    public void Slots_and_pins_take_turns_on_inputs_16_to_23(int slot, int pin, uint gsi) => Assert.Equal(gsi, IntxRouting.Gsi(slot, pin));

    [Theory]
    [InlineData(32, 1)]
    [InlineData(-1, 1)]
    [InlineData(0, 0)]
    [InlineData(0, 5)]
    public void There_are_32_slots_and_4_pins(int slot, int pin) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => IntxRouting.Gsi(slot, pin));
}
