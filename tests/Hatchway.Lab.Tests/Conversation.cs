using System.Diagnostics;
using System.Text;

namespace Hatchway.Lab.Tests;

/// <summary>A conversation with a program: waits until the program prints a text, then answers.</summary>
internal sealed class Conversation : IDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _heard = new();
    private readonly char[] _buffer = new char[4096];

    public Conversation(string program, params string[] arguments) =>
        _process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;

    /// <summary>Reads until a text has come; returns all output up to its end.</summary>
    public string Expect(string text, TimeSpan bound)
    {
        using var limit = new CancellationTokenSource(bound);
        while (true)
        {
            var at = _heard.ToString().IndexOf(text, StringComparison.Ordinal);
            if (at >= 0)
            {
                var said = _heard.ToString(0, at + text.Length);
                _heard.Remove(0, said.Length);
                return said;
            }
            int count;
            try
            {
                count = _process.StandardOutput.ReadAsync(_buffer.AsMemory(), limit.Token).AsTask().GetAwaiter().GetResult();
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"'{text}' did not come after:\n{_heard}");
            }
            if (count == 0)
                throw new InvalidOperationException($"it ended without '{text}':\n{_heard}");
            _heard.Append(_buffer, 0, count);
        }
    }

    public void Send(string text)
    {
        _process.StandardInput.Write(text);
        _process.StandardInput.Flush();
    }

    /// <summary>Closes the program's input.</summary>
    public void CloseInput() => _process.StandardInput.Close();

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(20)))
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
