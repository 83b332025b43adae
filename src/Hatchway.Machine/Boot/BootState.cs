namespace Hatchway.Machine.Boot;

/// <summary>The mode in which the first CPU starts.</summary>
public enum CpuMode
{
    /// <summary>64-bit: paging on, the first 4 GiB mapped to themselves.</summary>
    Long64,

    /// <summary>32-bit protected mode: paging off, flat segments.</summary>
    Protected32,
}

/// <summary>The registers with which the first CPU starts. Interrupts are off; general registers not named here are zero.</summary>
/// <param name="Mode">The mode, which also determines the code segment's type.</param>
/// <param name="EntryPoint">Guest-physical address of the first instruction.</param>
/// <param name="StackPointer">RSP: a page of stack ends here.</param>
/// <param name="Rsi">Linux's zero page, or 0.</param>
/// <param name="Rbx">PVH's hvm_start_info, or 0.</param>
/// <param name="PageTable">CR3 in 64-bit mode, else 0.</param>
/// <param name="GdtBase">Guest-physical address of the descriptor table.</param>
/// <param name="GdtLimit">The table's last byte, counted from its base.</param>
/// <param name="CodeSelector">For CS: base 0, limit 4 GiB, execute and read.</param>
/// <param name="DataSelector">For DS, ES, FS, GS and SS: base 0, limit 4 GiB, read and write.</param>
/// <param name="TaskSelector">For TR: a busy TSS at base 0 with limit 0x67, as PVH and VMX want it.</param>
public sealed record BootState(
    CpuMode Mode,
    ulong EntryPoint,
    ulong StackPointer,
    ulong Rsi,
    ulong Rbx,
    ulong PageTable,
    ulong GdtBase,
    ushort GdtLimit,
    ushort CodeSelector,
    ushort DataSelector,
    ushort TaskSelector);
