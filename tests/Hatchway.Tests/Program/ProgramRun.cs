using System.Diagnostics;
using System.Text;

namespace Hatchway.Tests.Program;

/// <summary>The program in a process of its own, which disposing ends.</summary>
internal sealed class ProgramRun : IDisposable
{
    /// <summary>Enough time for a slow machine.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromMinutes(2);

    private readonly Process _process;

    public ProgramRun(params IEnumerable<string> arguments)
        : this(Executable, arguments)
    {
    }

    public ProgramRun(string program, IEnumerable<string> arguments)
    {
        _process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
    }

    public static string Executable => Path.Combine(AppContext.BaseDirectory, "hatchway");

    /// <summary>Its process ID.</summary>
    public int Id => _process.Id;

    /// <summary>Its standard output, byte by byte.</summary>
    public Stream Output => _process.StandardOutput.BaseStream;

    /// <summary>The next line on standard error.</summary>
    public string? ErrorLine()
    {
        using var limit = new CancellationTokenSource(Bound);
        return _process.StandardError.ReadLineAsync(limit.Token).AsTask().GetAwaiter().GetResult();
    }

    /// <summary>True when it ends in time.</summary>
    public bool EndsWithin(TimeSpan time) => _process.WaitForExit(time);

    /// <summary>Waits for its end.</summary>
    public (int Status, string Output, string Errors) Finish()
    {
        var output = _process.StandardOutput.ReadToEndAsync();
        var errors = _process.StandardError.ReadToEndAsync();
        Assert.True(_process.WaitForExit(Bound), "the program does not end");
        return (_process.ExitCode, output.GetAwaiter().GetResult(), errors.GetAwaiter().GetResult());
    }

    /// <summary>Reads as many characters as are expected, and compares.</summary>
    public static void Expect(string expected, Stream stream)
    {
        using var limit = new CancellationTokenSource(Bound);
        var bytes = new byte[expected.Length];
        stream.ReadExactlyAsync(bytes, limit.Token).AsTask().GetAwaiter().GetResult();
        Assert.Equal(expected, Encoding.ASCII.GetString(bytes));
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
