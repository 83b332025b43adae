using System.Runtime.InteropServices;

namespace Hatchway.Linux.Interop;

// Structures of linux/kvm.h and asm/kvm.h, with the kernel's names; sizes and offsets are tested against the headers. Two underscores in
// a field's name stand for a member of an unnamed or nested structure.

[StructLayout(LayoutKind.Sequential)]
internal struct kvm_userspace_memory_region
{
    public uint slot;
    public uint flags;
    public ulong guest_phys_addr;
    public ulong memory_size;
    public ulong userspace_addr;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct kvm_pit_config
{
    public uint flags;
    public fixed uint pad[15];
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct kvm_reinject_control
{
    public byte pit_reinject;
    public fixed byte reserved[31];
}

[StructLayout(LayoutKind.Sequential)]
internal struct kvm_irq_level
{
    public uint irq;
    public uint level;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct kvm_irqfd
{
    public uint fd;
    public uint gsi;
    public uint flags;
    public uint resamplefd;
    public fixed byte pad[16];
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct kvm_ioeventfd
{
    public ulong datamatch;
    public ulong addr;
    public uint len;
    public int fd;
    public uint flags;
    public fixed byte pad[36];
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct kvm_msi
{
    public uint address_lo;
    public uint address_hi;
    public uint data;
    public uint flags;
    public uint devid;
    public fixed byte pad[12];
}

[StructLayout(LayoutKind.Explicit, Size = 48)]
internal struct kvm_irq_routing_entry
{
    [FieldOffset(0)] public uint gsi;
    [FieldOffset(4)] public uint type;
    [FieldOffset(8)] public uint flags;
    [FieldOffset(16)] public uint u__irqchip__irqchip;
    [FieldOffset(20)] public uint u__irqchip__pin;
    [FieldOffset(16)] public uint u__msi__address_lo;
    [FieldOffset(20)] public uint u__msi__address_hi;
    [FieldOffset(24)] public uint u__msi__data;
}

// A header; entries follow.
[StructLayout(LayoutKind.Sequential)]
internal struct kvm_irq_routing
{
    public uint nr;
    public uint flags;
}

[StructLayout(LayoutKind.Sequential)]
internal struct kvm_create_device
{
    public uint type;
    public uint fd;
    public uint flags;
}

[StructLayout(LayoutKind.Sequential)]
internal struct kvm_device_attr
{
    public uint flags;
    public uint group;
    public ulong attr;
    public ulong addr;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct kvm_cpuid_entry2
{
    public uint function;
    public uint index;
    public uint flags;
    public uint eax;
    public uint ebx;
    public uint ecx;
    public uint edx;
    public fixed uint padding[3];
}

// A header; entries follow.
[StructLayout(LayoutKind.Sequential)]
internal struct kvm_cpuid2
{
    public uint nent;
    public uint padding;
}

[StructLayout(LayoutKind.Sequential)]
internal struct kvm_msr_entry
{
    public uint index;
    public uint reserved;
    public ulong data;
}

// A header; entries follow.
[StructLayout(LayoutKind.Sequential)]
internal struct kvm_msrs
{
    public uint nmsrs;
    public uint pad;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct kvm_lapic_state
{
    public fixed byte regs[0x400];
}

[StructLayout(LayoutKind.Sequential)]
internal struct kvm_regs
{
    public ulong rax;
    public ulong rbx;
    public ulong rcx;
    public ulong rdx;
    public ulong rsi;
    public ulong rdi;
    public ulong rsp;
    public ulong rbp;
    public ulong r8;
    public ulong r9;
    public ulong r10;
    public ulong r11;
    public ulong r12;
    public ulong r13;
    public ulong r14;
    public ulong r15;
    public ulong rip;
    public ulong rflags;
}

[StructLayout(LayoutKind.Sequential)]
internal struct kvm_segment
{
    public ulong @base;
    public uint limit;
    public ushort selector;
    public byte type;
    public byte present;
    public byte dpl;
    public byte db;
    public byte s;
    public byte l;
    public byte g;
    public byte avl;
    public byte unusable;
    public byte padding;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct kvm_dtable
{
    public ulong @base;
    public ushort limit;
    public fixed ushort padding[3];
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct kvm_sregs
{
    public kvm_segment cs;
    public kvm_segment ds;
    public kvm_segment es;
    public kvm_segment fs;
    public kvm_segment gs;
    public kvm_segment ss;
    public kvm_segment tr;
    public kvm_segment ldt;
    public kvm_dtable gdt;
    public kvm_dtable idt;
    public ulong cr0;
    public ulong cr2;
    public ulong cr3;
    public ulong cr4;
    public ulong cr8;
    public ulong efer;
    public ulong apic_base;
    public fixed ulong interrupt_bitmap[4];
}

// The page that KVM shares with user space for each vCPU. The members from offset 32 on are a union, selected by exit_reason.
[StructLayout(LayoutKind.Explicit, Size = 2352)]
internal struct kvm_run
{
    [FieldOffset(0)] public byte request_interrupt_window;
    [FieldOffset(1)] public byte immediate_exit;
    [FieldOffset(8)] public uint exit_reason;
    [FieldOffset(12)] public byte ready_for_interrupt_injection;
    [FieldOffset(13)] public byte if_flag;
    [FieldOffset(14)] public ushort flags;
    [FieldOffset(16)] public ulong cr8;
    [FieldOffset(24)] public ulong apic_base;
    [FieldOffset(32)] public byte io__direction;
    [FieldOffset(33)] public byte io__size;
    [FieldOffset(34)] public ushort io__port;
    [FieldOffset(36)] public uint io__count;
    [FieldOffset(40)] public ulong io__data_offset;
    [FieldOffset(32)] public ulong mmio__phys_addr;
    [FieldOffset(40)] public ulong mmio__data;
    [FieldOffset(48)] public uint mmio__len;
    [FieldOffset(52)] public byte mmio__is_write;
    [FieldOffset(32)] public ulong fail_entry__hardware_entry_failure_reason;
    [FieldOffset(32)] public uint internal__suberror;
    [FieldOffset(36)] public uint internal__ndata;
    [FieldOffset(40)] public ulong internal__data;
    [FieldOffset(32)] public uint system_event__type;
    [FieldOffset(32)] public byte msr__error;
    [FieldOffset(44)] public uint msr__index;
    [FieldOffset(48)] public ulong msr__data;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct kvm_enable_cap
{
    public uint cap;
    public uint flags;
    public fixed ulong args[4];
    public fixed byte pad[64];
}

[StructLayout(LayoutKind.Sequential)]
internal struct kvm_stats_header
{
    public uint flags;
    public uint name_size;
    public uint num_desc;
    public uint id_offset;
    public uint desc_offset;
    public uint data_offset;
}

// A header; the name follows.
[StructLayout(LayoutKind.Sequential)]
internal struct kvm_stats_desc
{
    public uint flags;
    public short exponent;
    public ushort size;
    public uint offset;
    public uint bucket_size;
}
