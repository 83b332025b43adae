namespace Hatchway.Machine.Boot;

/// <summary>The guest can't be started from these files: one line that says what is wrong with which of them, and what to do.</summary>
public sealed class BootException : Exception
{
    /// <summary>Makes one with the line to show.</summary>
    public BootException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one with the line to show and what caused it.</summary>
    public BootException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
