namespace Hatchway.Pci.Bars;

/// <summary>Thrown when a handler can't have the registers that it asks for; the message says why.</summary>
public sealed class HandlerException : Exception
{
    /// <summary>Creates the exception with a message of one line for the user.</summary>
    public HandlerException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message for the user and its cause.</summary>
    public HandlerException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
