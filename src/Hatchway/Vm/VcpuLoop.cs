using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Machine.Memory;
using Hatchway.Pci.Address;

namespace Hatchway.Vm;

/// <summary>Runs one vCPU: enters the guest, answers its accesses to ports and memory, waits while the guest is paused, and ends
/// when the guest's end is requested.</summary>
/// <remarks>In steady state it allocates nothing, takes no lock itself and throws nothing: a garbage collection would stop every
/// vCPU.</remarks>
internal sealed class VcpuLoop(KvmVcpu vcpu, AddressSpace memory, AddressSpace ports, GuestEnd end, PauseGate pause)
{
    /// <summary>Runs on the calling thread until the guest's end, which a failure brings about, too.</summary>
    public void Run()
    {
        try
        {
            using var attached = vcpu.Attach();
            while (!end.IsRequested)
            {
                if (pause.IsClosed)
                    StandStill();
                else
                    RunOn();
            }
            // Completes the last access, so that its answer reaches the guest's registers, and the device that ended the guest sees it
            // finished.
            vcpu.CompleteAccess();
        }
        catch (LinuxException failure)
        {
            end.Fail(failure.Message);
        }
#pragma warning disable CA1031 // A mistake of ours in one access: the guest ends with what went wrong, and the devices are given back.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            end.Fail(
                $"an access of the guest was answered wrongly, which is a fault of Hatchway's: "
                + $"{failure.GetType().Name}, {failure.Message}");
        }
    }

    // Several exits a call: the runtime recompiles a method, with its callees inlined, only after it has been called many times.
    private void RunOn()
    {
        const int Exits = 16;
        for (var i = 0; i < Exits && !end.IsRequested && !pause.IsClosed; i++)
            Answer(vcpu.Run());
    }

    private void StandStill()
    {
        // First completes an instruction that makes several accesses, so that the registers are consistent.
        for (var exit = vcpu.CompleteAccess(); exit != KvmExit.Interrupted; exit = vcpu.CompleteAccess())
            Answer(exit);
        pause.Wait();
        vcpu.NotePause();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Answer(KvmExit exit)
    {
        if (exit == KvmExit.Mmio)
            AnswerMemory(vcpu.Mmio);
        else if (exit == KvmExit.Io)
            AnswerPort(vcpu.Port);
        else
            AnswerOther(exit);
    }

    private void AnswerOther(KvmExit exit)
    {
        switch (exit)
        {
            case KvmExit.ReadMsr or KvmExit.WriteMsr:
                vcpu.PassMsr();
                break;
            case KvmExit.Interrupted:
                break;
            case KvmExit.Shutdown:
                end.Request(EndReason.TripleFault);
                break;
            default:
                end.Fail(vcpu.DescribeFailure());
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AnswerMemory(MmioAccess access)
    {
        var width = (AccessWidth)access.Width;
        if (!width.IsValid())
            AnswerPieces(access);
        else if (access.IsWrite)
            memory.Write(access.Address, width, vcpu.MmioData);
        else
            vcpu.MmioData = memory.Read(access.Address, width);
    }

    // KVM splits an access at a page boundary, which gives widths that no bus has.
    private void AnswerPieces(MmioAccess access)
    {
        var value = access.IsWrite ? vcpu.MmioData : 0;
        for (var done = 0; done < access.Width;)
        {
            var address = access.Address + (uint)done;
            var piece = AccessWidthExtensions.WidestAligned(address, access.Width - done);
            if (access.IsWrite)
                memory.Write(address, piece, (value >> (8 * done)) & piece.AllOnes());
            else
                value |= memory.Read(address, piece) << (8 * done);
            done += (int)piece;
        }
        vcpu.MmioData = value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AnswerPort(PortAccess access)
    {
        var width = (AccessWidth)access.Width;
        if (access.Count != 1)
            AnswerString(access, vcpu.PortData);
        else if (access.IsWrite)
            ports.Write(access.Port, width, vcpu.PortValue);
        else
            vcpu.PortValue = (uint)ports.Read(access.Port, width);
    }

    // A string instruction repeats the access at the same port.
    private void AnswerString(PortAccess access, Span<byte> data)
    {
        Span<byte> value = stackalloc byte[sizeof(uint)];
        for (; !data.IsEmpty; data = data[access.Width..])
        {
            var item = data[..access.Width];
            if (access.IsWrite)
            {
                value.Clear();
                item.CopyTo(value);
                ports.Write(access.Port, (AccessWidth)access.Width, BinaryPrimitives.ReadUInt32LittleEndian(value));
            }
            else
            {
                BinaryPrimitives.WriteUInt32LittleEndian(value, (uint)ports.Read(access.Port, (AccessWidth)access.Width));
                value[..access.Width].CopyTo(item);
            }
        }
    }
}
