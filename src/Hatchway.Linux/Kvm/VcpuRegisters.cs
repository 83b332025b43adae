using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux.Kvm;

/// <summary>A vCPU's general registers (struct kvm_regs).</summary>
public record struct GeneralRegisters
{
    /// <summary>RAX.</summary>
    public ulong Rax { get; set; }

    /// <summary>RBX.</summary>
    public ulong Rbx { get; set; }

    /// <summary>RCX.</summary>
    public ulong Rcx { get; set; }

    /// <summary>RDX.</summary>
    public ulong Rdx { get; set; }

    /// <summary>RSI.</summary>
    public ulong Rsi { get; set; }

    /// <summary>RDI.</summary>
    public ulong Rdi { get; set; }

    /// <summary>RSP.</summary>
    public ulong Rsp { get; set; }

    /// <summary>RIP.</summary>
    public ulong Rip { get; set; }

    /// <summary>RFLAGS; bit 1 is always set.</summary>
    public ulong Rflags { get; set; }
}

/// <summary>A segment register with its hidden part (Intel SDM volume 3, §3.4.5; struct kvm_segment).</summary>
/// <param name="Selector">The register's visible part.</param>
/// <param name="Base">Linear address of the segment.</param>
/// <param name="Limit">Last offset, in bytes.</param>
/// <param name="Type">Type field, 4 bits.</param>
/// <param name="IsSystem">True for a system segment, such as a task's.</param>
/// <param name="Is64Bit">True for code of 64-bit mode (L).</param>
/// <param name="Is32Bit">True for a default operand size of 32 bits (D/B).</param>
public readonly record struct Segment(ushort Selector, ulong Base, uint Limit, byte Type, bool IsSystem, bool Is64Bit, bool Is32Bit)
{
    internal kvm_segment ToNative() => new()
    {
        @base = Base,
        limit = Limit,
        selector = Selector,
        type = Type,
        present = 1,
        s = IsSystem ? (byte)0 : (byte)1,
        l = Is64Bit ? (byte)1 : (byte)0,
        db = Is32Bit ? (byte)1 : (byte)0,
        g = Limit > 0xFFFFF ? (byte)1 : (byte)0,
    };
}

/// <summary>A vCPU's initial state beyond its general registers (struct kvm_sregs). The IDT becomes empty; other registers keep their
/// value after reset.</summary>
/// <param name="Code">CS.</param>
/// <param name="Data">DS, ES, FS, GS and SS.</param>
/// <param name="Task">TR.</param>
/// <param name="GdtBase">Linear address of the global descriptor table.</param>
/// <param name="GdtLimit">Its last byte's offset.</param>
/// <param name="Cr0">CR0.</param>
/// <param name="Cr3">CR3.</param>
/// <param name="Cr4">CR4.</param>
/// <param name="Efer">The extended feature register.</param>
public readonly record struct SystemRegisters(
    Segment Code, Segment Data, Segment Task, ulong GdtBase, ushort GdtLimit, ulong Cr0, ulong Cr3, ulong Cr4, ulong Efer)
{
    internal void ApplyTo(ref kvm_sregs native)
    {
        native.cs = Code.ToNative();
        native.ds = native.es = native.fs = native.gs = native.ss = Data.ToNative();
        native.tr = Task.ToNative();
        native.gdt.@base = GdtBase;
        native.gdt.limit = GdtLimit;
        native.idt = default;
        native.cr0 = Cr0;
        native.cr3 = Cr3;
        native.cr4 = Cr4;
        native.efer = Efer;
    }
}

/// <summary>A model-specific register and its value.</summary>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ModelSpecificRegister(uint Index, ulong Value);
