namespace Hatchway.Machine.Boot;

/// <summary>The guest can't be started from these files. The message is one line: what is wrong with which file, and what to do.</summary>
public sealed class BootException : Exception
{
    /// <summary>Makes an exception with the line to show.</summary>
    public BootException(string message)
        : base(message)
    {
    }

    /// <summary>Makes an exception with the line to show and its cause.</summary>
    public BootException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
