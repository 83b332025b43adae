namespace Hatchway.Machine.Tests.Acpi;

public sealed class MadtTests
{
    [Fact]
    public void Every_CPU_has_a_local_APIC_with_its_index_as_id()
    {
        var apics = Entries(3, 0);
        Assert.Equal([[0, 0, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], [2, 2, 1, 0, 0, 0]], apics);
        Assert.Empty(Entries(3, 9));
    }

    [Fact]
    public void Ids_may_have_gaps_and_the_IO_APICs_is_after_the_last()
    {
        static uint WithGaps(int cpu) => (uint)(cpu < 3 ? cpu : cpu + 1);
        Assert.Equal([[0, 0, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], [2, 2, 1, 0, 0, 0], [3, 4, 1, 0, 0, 0]], Entries(4, 0, WithGaps));
        Assert.Equal([[5, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0]], Entries(4, 1, WithGaps));
    }

    [Fact]
    public void From_id_255_on_it_is_an_x2APIC()
    {
        Assert.Equal(255, Entries(257, 0).Count);
        Assert.Equal([[0, 0, 255, 0, 0, 0, 1, 0, 0, 0, 255, 0, 0, 0], [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0]], Entries(257, 9));
        Assert.Empty(Entries(255, 9));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(200, 200)]
    [InlineData(1000, 255)]
    public void The_IO_APIC_has_an_id_after_the_CPUs_and_all_interrupts_from_0(int cpus, int id) =>
        Assert.Equal([[(byte)id, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0]], Entries(cpus, 1));

    [Fact]
    public void The_timer_is_at_input_2_and_the_SCI_is_level_triggered_and_active_high() =>
        Assert.Equal([[0, 0, 2, 0, 0, 0, 0, 0], [0, 9, 9, 0, 0, 0, 0x0D, 0]], Entries(1, 2));

    [Fact]
    public void NMI_is_on_LINT1_of_every_CPU()
    {
        Assert.Equal([[0xFF, 0, 0, 1]], Entries(256, 4));
        Assert.Equal([[0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0]], Entries(256, 10));
        Assert.Empty(Entries(255, 10));
    }

    [Fact]
    public void Local_APICs_are_at_their_address_beside_a_pair_of_8259s()
    {
        var madt = new WrittenTables()["APIC"];
        Assert.Equal((0xFEE0_0000u, 1u), (madt.UInt32(36), madt.UInt32(40)));
    }

    // The entries of a type, without type and length; checks that the walk ends exactly at the table's end.
    private static List<byte[]> Entries(int cpus, byte type, Func<int, uint>? apicId = null)
    {
        var madt = new WrittenTables(cpus, apicId: apicId)["APIC"];
        var found = new List<byte[]>();
        var at = 44;
        while (at < madt.Length)
        {
            if (madt[at] == type)
                found.Add(madt[(at + 2)..(at + madt[at + 1])]);
            at += madt[at + 1];
        }
        Assert.Equal(madt.Length, at);
        return found;
    }
}
