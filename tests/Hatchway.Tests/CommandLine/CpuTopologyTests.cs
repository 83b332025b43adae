using Hatchway.CommandLine;

namespace Hatchway.Tests.CommandLine;

public sealed class CpuTopologyTests
{
    [Theory]
    [InlineData("4", 4, 1, 1)]
    [InlineData("cpus=8,sockets=2,cores=2,threads=2", 2, 2, 2)]
    [InlineData("sockets=3", 3, 1, 1)]
    [InlineData("cores=4", 1, 4, 1)]
    [InlineData("4,sockets=1,cores=4", 1, 4, 1)]
    [InlineData("2,2", 2, 1, 1)]
    [InlineData("", 1, 1, 1)]
    public void CPUs_are_arranged_as_bhyve_does(string text, int sockets, int cores, int threads) =>
        Assert.Equal(new CpuTopology(sockets, cores, threads), CpuTopology.From(FlagsTests.ToTree("-c", text, "guest")));

    [Fact]
    public void APIC_ids_count_in_order_where_numbers_are_powers_of_two()
    {
        var topology = new CpuTopology(2, 4, 2);
        Assert.Equal(Enumerable.Range(0, 16), Enumerable.Range(0, 16).Select(cpu => (int)topology.ApicId(cpu)));
    }

    [Fact]
    public void APIC_ids_have_gaps_where_they_are_not()
    {
        var topology = new CpuTopology(2, 3, 1);
        Assert.Equal([0, 1, 2, 4, 5, 6], Enumerable.Range(0, 6).Select(cpu => (int)topology.ApicId(cpu)));
    }

    [Fact]
    public void Gaps_that_lead_past_the_last_id_are_told()
    {
        var mistake = Assert.Throws<UserException>(() => CpuTopology.From(FlagsTests.ToTree("-c", "sockets=40,cores=5", "guest")));
        Assert.Contains("APIC ids", mistake.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_of_host_CPUs_has_ranges()
    {
        var pins = CpuPins.From(FlagsTests.ToTree("-o", "vcpu.1.cpuset=0-2,5", "-p", "0:7", "guest"));
        Assert.Equal([7], pins[0]);
        Assert.Equal([0, 1, 2, 5], pins[1]);
    }

    [Fact]
    public void A_pin_of_a_CPU_that_the_guest_has_not_is_told_and_ignored()
    {
        var kernel = typeof(CpuTopologyTests).Assembly.Location;
        var options = RunOptions.From(FlagsTests.ToTree("-p", "1:0", "--kernel", kernel, "guest"));
        Assert.Contains("-p 1:0: ignored", Assert.Single(options.Warnings), StringComparison.Ordinal);
    }
}
