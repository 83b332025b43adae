namespace Hatchway;

/// <summary>The program's exit status, as in bhyve(8), EXIT STATUS. Status 2, halted, never occurs: KVM does not report it.</summary>
internal enum ExitStatus
{
    /// <summary>The guest rebooted; for other commands than <c>run</c>, <see cref="CommandStatus.Success"/>.</summary>
    Rebooted = 0,

    /// <summary>The guest powered off; for <c>host check</c>, <see cref="CommandStatus.InTheWay"/>.</summary>
    PoweredOff = 1,

    /// <summary>The guest's CPU had a triple fault.</summary>
    TripleFault = 3,

    /// <summary>An error on the host's side, including a mistake on the command line.</summary>
    Error = 4,
}

/// <summary>Names for the same numbers in commands that run no guest.</summary>
internal static class CommandStatus
{
    /// <summary>The command did what it was asked to.</summary>
    public const ExitStatus Success = ExitStatus.Rebooted;

    /// <summary><c>host check</c> found something in the way.</summary>
    public const ExitStatus InTheWay = ExitStatus.PoweredOff;
}
