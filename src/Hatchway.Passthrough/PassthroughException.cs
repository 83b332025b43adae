namespace Hatchway.Passthrough;

/// <summary>A function of the host can't be given to a guest. The message is one line: what is wrong, the value, and what to do.</summary>
public sealed class PassthroughException : Exception
{
    /// <summary>Says why.</summary>
    public PassthroughException(string message)
        : base(message)
    {
    }

    /// <summary>Says why, with what led to it.</summary>
    public PassthroughException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
