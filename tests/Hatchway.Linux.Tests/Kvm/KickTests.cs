using Hatchway.Linux.Kvm;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Linux.Tests.Kvm;

public sealed class KickTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    [KvmFact]
    public void None_of_20000_kicks_is_lost_whatever_the_guest_does()
    {
        const int Kicks = 20_000;
        // The vCPU is in the guest half of the time, and on its way in or out the other half: kicks arrive everywhere.
        using var guest = new SmallGuest(static a =>
        {
            var again = a.CreateLabel();
            var spin = a.CreateLabel();
            a.Label(ref again);
            a.mov(cx, 200);
            a.Label(ref spin);
            a.loop(spin);
            a.@out(0x80, al);
            a.jmp(again);
        });
        using var answered = EventFd.Create();
        var request = 0;
        var answer = 0;
        var thread = Start(guest.Vcpu, () =>
        {
            var seen = Volatile.Read(ref request);
            if (seen != answer)
            {
                Volatile.Write(ref answer, seen);
                answered.Signal();
            }
            return seen == Kicks;
        });

        for (var i = 1; i <= Kicks; i++)
        {
            Volatile.Write(ref request, i);
            guest.Vcpu.Kick();
            Assert.True(answered.Wait(Bound), $"kick {i} was lost");
            answered.Take();
            Assert.Equal(i, Volatile.Read(ref answer));
        }

        Assert.True(thread.Join(Bound));
    }

    [KvmFact]
    public void Kicks_from_several_threads_all_get_their_look()
    {
        const int Threads = 4;
        const int Each = 2000;
        using var guest = new SmallGuest(static a =>
        {
            var again = a.CreateLabel();
            a.Label(ref again);
            a.jmp(again);
        });
        var requests = new int[Threads];
        using var done = EventFd.Create();
        var thread = Start(guest.Vcpu, () =>
        {
            var all = Enumerable.Range(0, Threads).All(i => Volatile.Read(ref requests[i]) == Each);
            if (all)
                done.Signal();
            return all;
        });

        var kickers = Enumerable.Range(0, Threads).Select(i => new Thread(() =>
        {
            for (var n = 0; n < Each; n++)
            {
                Interlocked.Increment(ref requests[i]);
                guest.Vcpu.Kick();
            }
        })).ToList();
        kickers.ForEach(static k => k.Start());

        Assert.True(done.Wait(Bound), "the last kick was lost");
        Assert.True(thread.Join(Bound));
        kickers.ForEach(static k => k.Join());
    }

    [KvmFact]
    public void A_kick_before_the_thread_is_there_and_after_it_has_gone_does_no_harm()
    {
        using var guest = new SmallGuest(static a => a.hlt());
        guest.Vcpu.Kick();
        var exit = KvmExit.Unknown;
        var thread = new Thread(() =>
        {
            using var attached = guest.Vcpu.Attach();
            exit = guest.Vcpu.Run();
        });
        thread.Start();
        Assert.True(thread.Join(Bound));

        guest.Vcpu.Kick();

        Assert.Equal(KvmExit.Halted, exit);
    }

    [KvmFact]
    public void An_access_is_completed_without_entering_the_guest()
    {
        using var guest = new SmallGuest(static a =>
        {
            a.@in(al, 0x80);
            a.hlt();
        });
        using var attached = guest.Vcpu.Attach();
        Assert.Equal(KvmExit.Io, guest.Vcpu.Run());
        guest.Vcpu.PortData[0] = 0x77;

        guest.Vcpu.CompleteAccess();

        Assert.Equal(0x77ul, guest.Vcpu.GetRegisters().Rax & 0xFF);
        Assert.Equal(KvmExit.Halted, guest.Vcpu.Run());
    }

    // Runs the vCPU until a check of the requests ends it.
    private static Thread Start(KvmVcpu vcpu, Func<bool> look)
    {
        var thread = new Thread(() =>
        {
            using var attached = vcpu.Attach();
            while (!look())
            {
                while (vcpu.Run() != KvmExit.Interrupted)
                {
                }
            }
        })
        { IsBackground = true };
        thread.Start();
        return thread;
    }
}
