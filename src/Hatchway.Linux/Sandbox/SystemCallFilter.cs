using Hatchway.Linux.Interop;

namespace Hatchway.Linux.Sandbox;

/// <summary>Restricts which system calls a process may make (seccomp(2)).</summary>
/// <remarks>A rule's number is x86-64's (asm/unistd_64.h); a call of another architecture ends the process.</remarks>
public static class SystemCallFilter
{
    // linux/bpf_common.h: what a classic BPF instruction does.
    private const ushort LoadWord = 0x20;
    private const ushort And = 0x54;
    private const ushort JumpIfEqual = 0x15;
    private const ushort Return = 0x06;

    // linux/seccomp.h
    private const uint Allow = 0x7FFF_0000;
    private const uint Fail = 0x0005_0000;
    private const uint EndProcess = 0x8000_0000;

    // linux/audit.h, AUDIT_ARCH_X86_64.
    private const uint X86_64 = 0xC000_003E;

    // struct seccomp_data of linux/seccomp.h.
    private const uint NumberAt = 0;
    private const uint ArchitectureAt = 4;
    private const uint ArgumentsAt = 16;

    private const uint Clone3 = 435;

    /// <summary>Restricts all threads of the process. It can't be undone.</summary>
    /// <param name="rules">Calls that may be made, the most frequent first; all others fail with EPERM.</param>
    /// <exception cref="LinuxException">The kernel refuses; nothing is restricted then.</exception>
    public static unsafe void Restrict(ReadOnlySpan<SystemCallRule> rules)
    {
        var program = Program(rules);
        Landlock.NoNewPrivileges();
        // SAFETY: the program is pinned for the call, which copies it.
        fixed (sock_filter* first = program)
        {
            var filter = new sock_fprog { len = (ushort)program.Length, filter = first };
            var result = LinuxException.Check(
                (int)Libc.seccomp(Libc.SYS_seccomp, Libc.SECCOMP_SET_MODE_FILTER, Libc.SECCOMP_FILTER_FLAG_TSYNC, &filter), "seccomp");
            // A positive result is the id of a thread whose filters differ: then no thread has this one.
            if (result > 0)
                throw new LinuxException($"seccomp: thread {result}", Errno.EBUSY);
        }
    }

    internal static sock_filter[] Program(ReadOnlySpan<SystemCallRule> rules)
    {
        var program = new List<sock_filter>
        {
            Step(LoadWord, ArchitectureAt),
            Step(JumpIfEqual, X86_64, 1, 0),
            Step(Return, EndProcess),
            Step(LoadWord, NumberAt),
        };
        foreach (var rule in rules)
            Add(program, rule);
        // clone3's arguments are in memory, which a filter can't read; on ENOSYS the C library uses clone(2), which has them in registers.
        program.Add(Step(JumpIfEqual, Clone3, 0, 1));
        program.Add(Step(Return, Fail | (uint)Errno.ENOSYS));
        program.Add(Step(Return, Fail | (uint)Errno.EPERM));
        return [.. program];
    }

    // Each rule either decides, or falls through with the call's number still in the accumulator.
    private static void Add(List<sock_filter> program, SystemCallRule rule)
    {
        if (rule.Values.Count == 0)
        {
            program.Add(Step(JumpIfEqual, rule.Number, 0, 1));
            program.Add(Step(Return, Allow));
            return;
        }
        const int StepsForValue = 4;
        program.Add(Step(JumpIfEqual, rule.Number, 0, (byte)((StepsForValue * rule.Values.Count) + 1)));
        foreach (var (mask, value) in rule.Values)
        {
            program.Add(Step(LoadWord, ArgumentsAt + (8 * (uint)rule.Argument)));
            program.Add(Step(And, mask));
            program.Add(Step(JumpIfEqual, value, 0, 1));
            program.Add(Step(Return, Allow));
        }
        program.Add(Step(Return, Fail | (uint)Errno.EPERM));
    }

    private static sock_filter Step(ushort code, uint k, byte jt = 0, byte jf = 0) => new() { code = code, k = k, jt = jt, jf = jf };
}

/// <summary>A system call that may be made, always or depending on the low 32 bits of one argument.</summary>
/// <param name="Number">The call's number.</param>
/// <param name="Argument">The index of the argument that decides, 0 to 5.</param>
/// <param name="Values">The allowed values, each under a mask; when empty, the call is always allowed.</param>
public readonly record struct SystemCallRule(uint Number, int Argument, IReadOnlyList<(uint Mask, uint Value)> Values)
{
    /// <summary>A call that may always be made.</summary>
    public static implicit operator SystemCallRule(uint number) => new(number, 0, []);
}
