namespace Hatchway;

/// <summary>How the program ends, as bhyve(8) documents it under EXIT STATUS. Its 2, halted, never comes: KVM does not tell.</summary>
internal enum ExitStatus
{
    /// <summary>The guest rebooted; of another command than <c>run</c>, <see cref="CommandStatus.Success"/>.</summary>
    Rebooted = 0,

    /// <summary>The guest powered off; of <c>host check</c>, <see cref="CommandStatus.InTheWay"/>.</summary>
    PoweredOff = 1,

    /// <summary>The guest's CPU met a triple fault.</summary>
    TripleFault = 3,

    /// <summary>An error on the host's side, a mistake on the command line among them.</summary>
    Error = 4,
}

/// <summary>The same numbers where no guest has ended.</summary>
internal static class CommandStatus
{
    /// <summary>The command has done what it was asked.</summary>
    public const ExitStatus Success = ExitStatus.Rebooted;

    /// <summary><c>host check</c> found something in the way.</summary>
    public const ExitStatus InTheWay = ExitStatus.PoweredOff;
}
