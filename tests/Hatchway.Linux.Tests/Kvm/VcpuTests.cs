using Hatchway.Linux.Kvm;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Linux.Tests.Kvm;

public sealed class VcpuTests
{
    [KvmFact]
    public void A_guest_reads_what_a_port_access_is_answered_with()
    {
        using var guest = new SmallGuest(static a =>
        {
            a.mov(dx, 0x3F8);
            a.@in(ax, dx);
            a.@out(0x80, ax);
            a.hlt();
        });
        using var attached = guest.Vcpu.Attach();

        Assert.Equal(KvmExit.Io, guest.Vcpu.Run());
        Assert.Equal(new PortAccess(IsWrite: false, 0x3F8, Width: 2, Count: 1), guest.Vcpu.Port);
        BitConverter.TryWriteBytes(guest.Vcpu.PortData, (ushort)0xCAFE);
        Assert.Equal(KvmExit.Io, guest.Vcpu.Run());
        Assert.Equal(new PortAccess(IsWrite: true, 0x80, Width: 2, Count: 1), guest.Vcpu.Port);
        Assert.Equal(0xCAFE, BitConverter.ToUInt16(guest.Vcpu.PortData));
        Assert.Equal(KvmExit.Halted, guest.Vcpu.Run());
    }

    [KvmFact]
    public void A_string_instruction_comes_as_one_access_with_a_count()
    {
        using var guest = new SmallGuest(static a =>
        {
            a.mov(si, (short)SmallGuest.CodeAt);
            a.mov(cx, 5);
            a.mov(dx, 0x3F8);
            a.rep.outsb();
            a.hlt();
        });
        using var attached = guest.Vcpu.Attach();
        var seen = new List<byte>();

        while (guest.Vcpu.Run() == KvmExit.Io)
        {
            Assert.Equal(guest.Vcpu.Port.Count, guest.Vcpu.PortData.Length);
            seen.AddRange(guest.Vcpu.PortData);
        }

        Assert.Equal(guest.Memory.Slice((int)SmallGuest.CodeAt, 5).ToArray(), seen);
    }

    [KvmFact]
    public void Memory_without_a_slot_exits_and_the_answer_reaches_the_guest()
    {
        using var guest = new SmallGuest(static a =>
        {
            a.mov(ax, 0x2000);
            a.mov(ds, ax);
            a.mov(eax, __dword_ptr[0x10]);
            a.not(eax);
            a.mov(__dword_ptr[0x14], eax);
            a.hlt();
        });
        using var attached = guest.Vcpu.Attach();

        Assert.Equal(KvmExit.Mmio, guest.Vcpu.Run());
        Assert.Equal(new MmioAccess(IsWrite: false, 0x20010, Width: 4), guest.Vcpu.Mmio);
        guest.Vcpu.MmioData = 0x1234_5678;
        Assert.Equal(KvmExit.Mmio, guest.Vcpu.Run());
        Assert.Equal(new MmioAccess(IsWrite: true, 0x20014, Width: 4), guest.Vcpu.Mmio);
        Assert.Equal(~0x1234_5678u, (uint)guest.Vcpu.MmioData);
    }

    [KvmFact]
    public void A_page_mapped_and_taken_away_again_is_memory_then_an_exit()
    {
        using var guest = new SmallGuest(static a =>
        {
            var again = a.CreateLabel();
            a.mov(ax, 0x2000);
            a.mov(ds, ax);
            a.Label(ref again);
            a.mov(al, __byte_ptr[0]);
            a.@out(0x80, al);
            a.jmp(again);
        });
        using var page = MemoryFile.Create("page", 4096);
        using var mapping = page.Map();
        mapping.Slice(0, 1)[0] = 0x5A;
        using var attached = guest.Vcpu.Attach();

        var slot = guest.Vm.MapMemory(0x20000, mapping.Address, 4096);
        Assert.Equal(KvmExit.Io, guest.Vcpu.Run());
        Assert.Equal(0x5A, guest.Vcpu.PortData[0]);
        slot.Dispose();
        Assert.Equal(KvmExit.Mmio, guest.Vcpu.Run());
    }

    [KvmFact]
    public void A_slot_number_is_used_again_and_an_overlap_is_an_error()
    {
        using var guest = new SmallGuest(static a => a.hlt());
        using var page = MemoryFile.Create("page", 4096);
        using var mapping = page.Map();
        for (var i = 0; i < 100_000; i++)
            guest.Vm.MapMemory(0x20000, mapping.Address, 4096).Dispose();

        var failure = Assert.Throws<LinuxException>(() => guest.Vm.MapMemory(0, mapping.Address, 4096));
        Assert.Equal(Errno.EEXIST, failure.Errno);
    }

    [KvmFact]
    public void Cpuid_answers_what_it_was_given()
    {
        using var guest = new SmallGuest(static a =>
        {
            a.mov(eax, 0x4000_0000);
            a.cpuid();
            a.mov(eax, ebx);
            a.@out(0x80, eax);
            a.hlt();
        });
        var entries = guest.System.GetSupportedCpuid();
        Assert.Contains(entries, static entry => entry.Function == 0);
        guest.Vcpu.SetCpuid(
            [.. entries.Where(static e => e.Function >> 16 != 0x4000), new(0x4000_0000, 0, 0, 0x4000_0000, 0x4843_5448, 0, 0)]);
        using var attached = guest.Vcpu.Attach();

        Assert.Equal(KvmExit.Io, guest.Vcpu.Run());
        Assert.Equal(0x4843_5448u, BitConverter.ToUInt32(guest.Vcpu.PortData));
    }

    [KvmFact]
    public void Statistics_count_the_exits()
    {
        const int Exits = 100;
        using var guest = new SmallGuest(Exiting);
        using var statistics = guest.Vcpu.OpenStatistics();
        using var attached = guest.Vcpu.Attach();
        var before = statistics.Read();

        for (var i = 0; i < Exits; i++)
            guest.Vcpu.Run();

        Assert.InRange(statistics.Read()["exits"] - before["exits"], (ulong)Exits, 2ul * Exits);
    }

    [KvmFact]
    public void A_million_exits_allocate_nothing()
    {
        using var guest = new SmallGuest(Exiting);
        using var attached = guest.Vcpu.Attach();
        var sum = Loop(guest.Vcpu, 1000);
        var before = GC.GetAllocatedBytesForCurrentThread();

        sum += Loop(guest.Vcpu, 1_000_000);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(1_001_000, sum);
    }

    private static void Exiting(Assembler a)
    {
        var again = a.CreateLabel();
        a.Label(ref again);
        a.@out(0x80, al);
        a.jmp(again);
    }

    private static int Loop(KvmVcpu vcpu, int exits)
    {
        var seen = 0;
        while (seen < exits)
        {
            var exit = vcpu.Run();
            if (exit == KvmExit.Io)
                seen += vcpu.Port.Count;
            // The runtime's own signals, as for a garbage collection that another test causes, end a run, too.
            else if (exit != KvmExit.Interrupted)
                break;
        }
        return seen;
    }
}
