using Hatchway.Linux.Kvm;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.SmallGuests;

/// <summary>
/// A guest that halts until interrupted, with the first PIC at vector 20h and level-triggered line 5, and writes the number of each
/// interrupt to a port.
/// </summary>
internal sealed class InterruptedGuest : IDisposable
{
    /// <summary>An edge-triggered line.</summary>
    public const uint EdgeGsi = 4;

    /// <summary>A level-triggered line.</summary>
    public const uint LevelGsi = 5;

    /// <summary>The first of <see cref="MessageVectors"/> vectors that messages may carry.</summary>
    public const byte MessageVector = 0x40;

    public const int MessageVectors = 4;

    /// <summary>The address of a message to the first vCPU's local APIC (Intel SDM volume 3,
    /// "Message Address Register Format").</summary>
    public const ulong MessageAddress = 0xFEE0_0000;

    private const ushort NumberPort = 0x80;
    private const ushort ReadyPort = 0x81;
    private const int SpuriousVector = 0xF0;
    private const uint LocalApicEnable = 0x100;
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);
    private readonly SmallGuest _guest = new(WaitForInterrupts, interruptControllers: true);

    public InterruptedGuest()
    {
        foreach (var line in new[] { EdgeGsi, LevelGsi })
            SetHandler((byte)line, 0x20 + (int)line, (ushort)(0x2000 + (line * 0x100)));
        for (var vector = (int)MessageVector; vector < MessageVector + MessageVectors; vector++)
            SetHandler((byte)vector, vector, (ushort)(0x3000 + (vector * 0x10)));
        Assert.Equal(ReadyPort, RunToPort().Port);
    }

    public KvmVm Vm => _guest.Vm;

    public KvmVcpu Vcpu => _guest.Vcpu;

    /// <summary>Enables the local APIC, without which it accepts no message.</summary>
    public void EnableMessages() => Vcpu.SetLocalApic([(SpuriousVector, LocalApicEnable | 0xFF)]);

    /// <summary>Runs until an interrupt was handled, or the time is up.</summary>
    /// <returns>Its number: the line's, or the message's vector.</returns>
    public byte RunToInterrupt()
    {
        var (port, number) = RunToPort();
        Assert.Equal(NumberPort, port);
        return number;
    }

    public void Dispose() => _guest.Dispose();

    private void SetHandler(byte number, int vector, ushort at) => _guest.SetVector(vector, a => Handle(a, number), at);

    private static void WaitForInterrupts(Assembler a)
    {
        // ICW1 to ICW4 of the first PIC (8259A data sheet): vectors from 20h, a second PIC at line 2; then unmasks lines 4 and 5.
        foreach (var (port, value) in new (byte, byte)[] { (0x20, 0x11), (0x21, 0x20), (0x21, 0x04), (0x21, 0x01), (0x21, 0xCF) })
        {
            a.mov(al, value);
            a.@out(port, al);
        }
        a.mov(dx, 0x4D0);
        a.mov(al, 1 << (int)LevelGsi);
        a.@out(dx, al);
        // Initialising a PIC drops earlier requests: interrupts may come only from here on.
        a.@out((byte)ReadyPort, al);
        a.sti();
        var again = a.CreateLabel();
        a.Label(ref again);
        a.hlt();
        a.jmp(again);
    }

    private static void Handle(Assembler a, byte number)
    {
        a.mov(al, number);
        a.@out((byte)NumberPort, al);
        a.mov(al, 0x20);
        a.@out(0x20, al);
        a.iret();
    }

    // A kick bounds it, since a missing interrupt leaves the guest halted in the kernel. The runtime's own signals end a run, too.
    private (ushort Port, byte Value) RunToPort()
    {
        using var attached = Vcpu.Attach();
        var late = 0;
        using var bound = new Timer(
            _ =>
            {
                Volatile.Write(ref late, 1);
                Vcpu.Kick();
            },
            null,
            Bound,
            Timeout.InfiniteTimeSpan);
        var exit = Vcpu.Run();
        while (exit == KvmExit.Interrupted && Volatile.Read(ref late) == 0)
            exit = Vcpu.Run();
        Assert.Equal(KvmExit.Io, exit);
        return (Vcpu.Port.Port, Vcpu.PortData[0]);
    }
}
