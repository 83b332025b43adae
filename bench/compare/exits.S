/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that does nothing but exit to its monitor: one page of code, no paging, no interrupts. What an access costs here is KVM's and the
 * monitor's, where Linux as the guest adds its own page tables and caches, filled again after each exit under emulation.
 *
 * Started as an uncompressed Linux is, by PVH (Xen, xen/include/public/arch-x86/hvm/start_info.h): protected mode, flat segments. For each kind of access
 * it prints "NAME TICKS" on com1, the time-stamp counter's ticks (hexadecimal) for COUNT of them, and resets the machine in the end. The function
 * at 00:06.0 is a pci-testdev, and others up to 00:1d.0 may be: BAR 0 is memory, BAR 1 ports. All are given their place, that one the first.
 *
 * With VECTORS the function at 00:07.0 has MSI-X, its table in BAR 0, a memory BAR of 64 bits. So many of its vectors are switched on first, one after
 * the other, and "unmask TICKS" is what that takes, in 1024 ticks.
 */
#define COM1 0x3f8
#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define FUNCTION 0x80003000
#define LAST 0x8000e800
#define TESTDEV 0x00051b36      /* device, vendor */
#define PORTS_AT 0xe000
#define MEMORY_AT 0xd0000000    /* where both monitors' bridges lead to devices, and nothing is */
#define HANDLED 0x40            /* NoWork.cs */
#define CONTROLLER 0x80003800
#define TABLE_AT 0xd1000000
#define MSIX 0x11               /* the capability's ID */

    .section .note.Xen, "a", @note
    .long 4, 4, 18          /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long start

    .macro measure name, access
    mov $name_\access, %ebx
    mov $\access, %esi
    call measured
    .section .rodata
name_\access:
    .asciz "\name "
    .text
    .endm

    .text
    .code32
    .globl start
start:
    mov $stack_end, %esp
    mov $FUNCTION, %ebx
    mov $MEMORY_AT, %esi
    mov $PORTS_AT, %edi
1:  mov %ebx, %eax
    call read_config
    cmp $TESTDEV, %eax
    jne 2f
    lea 0x10(%ebx), %eax
    mov %esi, %ecx
    call write_config
    lea 0x14(%ebx), %eax
    mov %edi, %ecx
    call write_config
    lea 0x04(%ebx), %eax
    mov $3, %ecx            /* both are decoded */
    call write_config
    add $0x1000, %esi
    add $0x100, %edi
2:  add $0x800, %ebx        /* the next slot */
    cmp $LAST, %ebx
    jbe 1b
#if VECTORS
    call unmask
#endif
    measure empty-port, read_empty
    measure io-bar, read_port
    measure io-handler, read_handled_port
    measure memory-bar, read_memory
    measure memory-handler, read_handled_memory
    measure config-own, read_identity
    measure config-device, read_status
    mov $6, %al             /* the reset control register of ICH9: a hard reset */
    mov $0xcf9, %dx
    out %al, %dx
1:  hlt
    jmp 1b

read_empty:
    mov $0xed0, %dx
    in %dx, %eax
    ret

read_port:
    mov $PORTS_AT, %dx
    in %dx, %eax
    ret

read_handled_port:
    mov $PORTS_AT + HANDLED, %dx
    in %dx, %eax
    ret

read_memory:
    mov MEMORY_AT, %eax
    ret

read_handled_memory:
    mov MEMORY_AT + HANDLED, %eax
    ret

read_identity:
    mov $FUNCTION, %eax
    jmp read_config

read_status:
    mov $FUNCTION | 0x04, %eax
read_config:
    mov $CONFIG_ADDRESS, %dx
    out %eax, %dx
    mov $CONFIG_DATA, %dx
    in %dx, %eax
    ret

/* %eax: address, %ecx: value */
write_config:
    mov $CONFIG_ADDRESS, %dx
    out %eax, %dx
    mov $CONFIG_DATA, %dx
    mov %ecx, %eax
    out %eax, %dx
    ret

/* %esi: one access, %ebx: its name. The first ones are not counted: a runtime compiles what is called often while it runs. */
measured:
    mov $WARM_UP, %edi
1:  call *%esi
    dec %edi
    jnz 1b
    rdtsc
    mov %eax, %ebp
    mov $COUNT, %edi
1:  call *%esi
    dec %edi
    jnz 1b
    rdtsc
    sub %ebp, %eax
/* %ebx: a name, %eax: ticks */
report:
    mov %eax, %ebp
1:  mov (%ebx), %al
    call print
    inc %ebx
    cmpb $0, (%ebx)
    jne 1b
    mov $8, %edi
1:  rol $4, %ebp
    mov %ebp, %eax
    and $15, %eax
    mov digits(%eax), %al
    call print
    dec %edi
    jnz 1b
    mov $'\n', %al           /* falls through to print */
/* %al: a character */
print:
    mov %al, %cl
    mov $COM1 + 5, %dx
1:  in %dx, %al
    test $0x20, %al         /* the transmitter's register is empty */
    jz 1b
    mov %cl, %al
    mov $COM1, %dx
    out %al, %dx
    ret

#if VECTORS
unmask:
    mov $CONTROLLER | 0x10, %eax
    mov $TABLE_AT, %ecx
    call write_config
    mov $CONTROLLER | 0x14, %eax
    xor %ecx, %ecx
    call write_config
    mov $CONTROLLER | 0x04, %eax
    mov $2, %ecx            /* memory is decoded */
    call write_config
    mov $CONTROLLER | 0x34, %eax
    call read_config
1:  movzbl %al, %ebx        /* the next capability */
    test %ebx, %ebx
    jz 2f                   /* no MSI-X: nothing is said */
    lea CONTROLLER(%ebx), %eax
    call read_config
    cmp $MSIX, %al
    mov %ah, %al
    jne 1b
    lea CONTROLLER(%ebx), %eax
    mov $1 << 31, %ecx      /* on, and the function not masked */
    call write_config
    lea CONTROLLER + 4(%ebx), %eax
    call read_config
    and $~7, %eax
    lea TABLE_AT(%eax), %esi
    call kiloticks
    mov %eax, %ebp
    mov $VECTORS, %edi
1:  movl $0xfee00000, (%esi)
    movl $0, 4(%esi)
    movl $0x30, 8(%esi)
    movl $0, 12(%esi)
    add $16, %esi
    dec %edi
    jnz 1b
    call kiloticks
    sub %ebp, %eax
    mov $name_unmask, %ebx
    jmp report
2:  ret

kiloticks:
    rdtsc
    shrd $10, %edx, %eax
    ret

    .section .rodata
name_unmask:
    .asciz "unmask "
#endif

    .section .rodata
digits:
    .ascii "0123456789abcdef"

    .bss
    .balign 16
stack:
    .skip 256
stack_end:
