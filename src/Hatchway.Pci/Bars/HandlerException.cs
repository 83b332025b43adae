namespace Hatchway.Pci.Bars;

/// <summary>A handler can't have the registers that it wants; the message says why.</summary>
public sealed class HandlerException : Exception
{
    /// <summary>With a message for the user: one line.</summary>
    public HandlerException(string message)
        : base(message)
    {
    }

    /// <summary>With a message for the user and what led to it.</summary>
    public HandlerException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
