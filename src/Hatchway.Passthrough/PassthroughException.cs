namespace Hatchway.Passthrough;

/// <summary>Thrown when a function of the host can't be given to a guest. The message is one line: what is wrong, the value, and what to
/// do.</summary>
public sealed class PassthroughException : Exception
{
    /// <summary>Creates the exception with its message.</summary>
    public PassthroughException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with its message and cause.</summary>
    public PassthroughException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
