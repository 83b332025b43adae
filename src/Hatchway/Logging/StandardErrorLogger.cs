using System.Text;
using Hatchway.Linux;
using Microsoft.Extensions.Logging;

namespace Hatchway.Logging;

/// <summary>Writes log lines to standard error, each with the program's name.</summary>
internal sealed class StandardErrorLogger(LogLevel least) : ILogger
{
    // How long a reader who has stopped is waited for, once: vCPUs write here, too, and a guest must be able to end.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    // Guards the field below, and keeps lines whole.
    private static readonly Lock Gate = new();
    private static bool _isStalled;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= least;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
            Write(logLevel >= LogLevel.Warning ? $"warning: {formatter(state, exception)}" : formatter(state, exception));
    }

    /// <summary>Writes a line. It ends with a carriage return on a terminal, which may be in raw mode.</summary>
    public static void Write(string line)
    {
        var bytes = Encoding.UTF8.GetBytes($"hatchway: {line}{(Console.IsErrorRedirected ? "\n" : "\r\n")}");
        lock (Gate)
        {
            _isStalled = !FileDescriptor.StandardError.HasRoom(_isStalled ? TimeSpan.Zero : Patience);
            // Standard error may go to a full disk. That must not end a guest, and can't be reported anywhere.
            if (!_isStalled)
                FileDescriptor.StandardError.TryWrite(bytes);
        }
    }
}
