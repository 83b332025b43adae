namespace Hatchway;

/// <summary>How the program ends, as bhyve(8) documents it under EXIT STATUS.</summary>
internal enum ExitStatus
{
    /// <summary>The guest rebooted; or a command other than <c>run</c> succeeded.</summary>
    Rebooted = 0,

    /// <summary>The guest powered off; or <c>host check</c> found something in the way.</summary>
    PoweredOff = 1,

    /// <summary>The guest halted.</summary>
    Halted = 2,

    /// <summary>The guest's CPU met a triple fault.</summary>
    TripleFault = 3,

    /// <summary>An error on the host's side, a mistake on the command line among them.</summary>
    Error = 4,
}
