using Hatchway.CommandLine;
using Hatchway.Linux.Kvm;
using Hatchway.Vm;

namespace Hatchway.Tests.Vm;

/// <summary>The CPU topology that a guest reads, decoded as Intel's and AMD's manuals describe.</summary>
public sealed class GuestCpuTests
{
    private const uint X2Apic = 1u << 21;
    private const uint HyperThreading = 1u << 28;

    // A level 1 data cache, a level 3 cache and the end of the list; and empty topology leaves, as KVM offers them.
    private static readonly CpuidEntry[] Supported =
    [
        new(1, 0, 0, Eax: 0, Ebx: 0x0000_0800, Ecx: X2Apic, Edx: 0),
        new(4, 0, 1, Eax: 0x121, Ebx: 0, Ecx: 0, Edx: 0),
        new(4, 3, 1, Eax: 0x163, Ebx: 0, Ecx: 0, Edx: 0),
        new(0xB, 0, 1, Eax: 0, Ebx: 0, Ecx: 0, Edx: 0),
        new(0x1F, 0, 1, Eax: 0, Ebx: 0, Ecx: 0, Edx: 0),
        new(0x8000_0008, 0, 0, Eax: 0x3028, Ebx: 0, Ecx: 0, Edx: 0),
        new(0x8000_001D, 0, 1, Eax: 0x121, Ebx: 0, Ecx: 0, Edx: 0),
        new(0x8000_001E, 0, 0, Eax: 0, Ebx: 0, Ecx: 0, Edx: 0),
    ];

    // Socket, core and thread of each CPU, from the leaf that gives each one's number of id bits.
    [Theory]
    [InlineData(0xB, 2, 3, 2)]
    [InlineData(0x1F, 2, 3, 2)]
    [InlineData(0xB, 4, 1, 1)]
    [InlineData(0xB, 1, 8, 1)]
    public void Extended_topology_leads_from_the_id_to_socket_core_and_thread(uint leaf, int sockets, int cores, int threads)
    {
        var topology = new CpuTopology(sockets, cores, threads);
        var ids = new HashSet<uint>();
        for (var cpu = 0; cpu < topology.Cpus; cpu++)
        {
            var entries = GuestCpu.Cpuid(Supported, cpu, topology, tscDeadline: true, x2Apic: true, addressBits: 40);
            var smt = Find(entries, leaf, 0);
            var core = Find(entries, leaf, 1);
            Assert.Equal((1u, 2u, 0u), ((smt.Ecx >> 8) & 0xFF, (core.Ecx >> 8) & 0xFF, Find(entries, leaf, 2).Ecx >> 8));
            Assert.Equal(((uint)threads, (uint)(cores * threads)), (smt.Ebx, core.Ebx));
            var id = core.Edx;
            Assert.Equal(cpu / (cores * threads), (int)(id >> (int)core.Eax));
            Assert.Equal(cpu / threads % cores, (int)((id & ((1u << (int)core.Eax) - 1)) >> (int)smt.Eax));
            Assert.Equal(cpu % threads, (int)(id & ((1u << (int)smt.Eax) - 1)));
            Assert.Equal(id, Find(entries, 1).Ebx >> 24);
            Assert.True(ids.Add(id));
        }
    }

    [Fact]
    public void Physical_addresses_end_where_they_are_told_to()
    {
        var entries = GuestCpu.Cpuid(Supported, 0, new CpuTopology(1, 1, 1), tscDeadline: false, x2Apic: true, addressBits: 39);

        Assert.Equal(0x3027u, Find(entries, 0x8000_0008).Eax);
    }

    [Theory]
    [InlineData(4, 1, 1, 1, false)]
    [InlineData(2, 2, 2, 4, true)]
    [InlineData(1, 3, 1, 4, true)]
    public void Leaf_1_has_room_for_a_packages_ids(int sockets, int cores, int threads, uint room, bool several)
    {
        var topology = new CpuTopology(sockets, cores, threads);
        var leaf = Find(GuestCpu.Cpuid(Supported, 0, topology, tscDeadline: false, x2Apic: true, addressBits: 40), 1);
        Assert.Equal(room, (leaf.Ebx >> 16) & 0xFF);
        Assert.Equal(several, (leaf.Edx & HyperThreading) != 0);
    }

    [Fact]
    public void A_cores_threads_share_its_caches_and_a_package_the_last_level()
    {
        var entries = GuestCpu.Cpuid(Supported, 0, new CpuTopology(2, 4, 2), tscDeadline: false, x2Apic: true, addressBits: 40);
        Assert.Equal(1u, (Find(entries, 4, 0).Eax >> 14) & 0xFFF);
        Assert.Equal(7u, (Find(entries, 4, 3).Eax >> 14) & 0xFFF);
        Assert.Equal(3u, Find(entries, 4, 0).Eax >> 26);
        Assert.Equal(1u, (Find(entries, 0x8000_001D, 0).Eax >> 14) & 0xFFF);
    }

    [Fact]
    public void AMDs_leaves_say_the_same()
    {
        var topology = new CpuTopology(2, 4, 2);
        var entries = GuestCpu.Cpuid(Supported, 13, topology, tscDeadline: false, x2Apic: true, addressBits: 40);
        var sizes = Find(entries, 0x8000_0008);
        Assert.Equal((7u, 3u), (sizes.Ecx & 0xFF, (sizes.Ecx >> 12) & 0xF));
        var place = Find(entries, 0x8000_001E);
        // CPU 13 is the second thread of the third core in the second socket; core ids count on across sockets.
        Assert.Equal((13u, 6u, 1u, 1u), (place.Eax, place.Ebx & 0xFF, (place.Ebx >> 8) & 0xFF, place.Ecx));
    }

    [KvmFact]
    public void Fast_strings_are_on_and_what_KVM_says_of_the_CPU_beside_them_stays()
    {
        using var system = KvmSystem.Open();
        using var vm = system.CreateVm();
        using var vcpu = vm.CreateVcpu(0);
        // IA32_MISC_ENABLE: there is no branch trace storage, and no sampling by events (Intel SDM volume 4, table 2-2). Newer KVMs say so
        // by themselves.
        const uint MiscellaneousEnable = 0x1A0;
        const ulong Unavailable = (1 << 11) | (1 << 12);
        vcpu.SetMsrs([new(MiscellaneousEnable, Unavailable)]);

        GuestCpu.Start(vcpu, isFirst: false, boot: null, physicalAddressBits: 40, x2Apic: false);

        Assert.Equal(Unavailable | 1, vcpu.GetMsr(MiscellaneousEnable));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void X2APIC_mode_is_offered_unless_the_user_forbids_it(bool x2Apic) => Assert.Equal(
        x2Apic,
        (Find(GuestCpu.Cpuid(Supported, 0, new CpuTopology(1, 1, 1), tscDeadline: false, x2Apic, addressBits: 40), 1).Ecx & X2Apic) != 0);

    private static CpuidEntry Find(IReadOnlyList<CpuidEntry> entries, uint function, uint index = 0) =>
        entries.Single(entry => entry.Function == function && entry.Index == index);
}
