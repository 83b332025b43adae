using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Hatchway.Lab.Tests;

/// <summary>The result of a command in the lab: its exit status and all its output.</summary>
public sealed record CommandResult(int Status, string Output)
{
    /// <summary>The value of a line <c>RESULT name=value</c>, or null.</summary>
    public string? Result(string name) => Output.Split('\n')
        .Select(static line => line.TrimEnd('\r'))
        .Where(line => line.StartsWith($"RESULT {name}=", StringComparison.Ordinal))
        .Select(line => line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..])
        .LastOrDefault();

    /// <summary>The lines between <c>BEGIN name</c> and <c>END name</c>.</summary>
    public IReadOnlyList<string> Section(string name) => [.. Output.Split('\n')
        .Select(static line => line.TrimEnd('\r'))
        .SkipWhile(line => line != $"BEGIN {name}").Skip(1)
        .TakeWhile(line => line != $"END {name}")];
}

/// <summary>An emulated host (lab/run) with a shell in it, for one test class. It runs one command at a time.</summary>
public sealed class LabHost : IDisposable
{
    private static readonly TimeSpan StartBound = TimeSpan.FromMinutes(3);
    private static readonly string s_standStill = Path.Combine(Repository.Root, "lab/scripts/stand-still.sh");
    private readonly Process _process;
    private readonly StringBuilder _errors = new();
    private int _commands;

    /// <param name="options">Options of lab/run.</param>
    public LabHost(params string[] options)
    {
        Shared = Directory.CreateTempSubdirectory("hatchway-lab-");
        _process = Process.Start(new ProcessStartInfo(
            Path.Combine(Repository.Root, "lab/run"), ["--writable", Shared.FullName, .. options, "--", "sh"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _process.ErrorDataReceived += (_, line) => _errors.AppendLine(line.Data);
        _process.BeginErrorReadLine();
        Run("true", StartBound);
    }

    /// <summary>A folder that the test's host and the emulated host share.</summary>
    public DirectoryInfo Shared { get; }

    /// <summary>The path of a file in the shared folder, the same on both hosts.</summary>
    public string PathOf(string name) => Path.Combine(Shared.FullName, name);

    /// <summary>Runs a shell command, its standard error joined to its output.</summary>
    /// <exception cref="TimeoutException">It does not end in time; the message has its output, and what the monitors were
    /// doing.</exception>
    public CommandResult Run(string command, TimeSpan? bound = null)
    {
        var limit = bound ?? TimeSpan.FromMinutes(2);
        var marker = string.Create(CultureInfo.InvariantCulture, $"--- command {++_commands} ended:");
        var patience = string.Create(CultureInfo.InvariantCulture, $"{limit.TotalSeconds - 15:0}");
        _process.StandardInput.WriteLine(
            $"sh {s_standStill} {patience} & ( {command}\n) 2>&1 < /dev/null; status=$?; kill $! 2> /dev/null; "
            + $"echo; echo '{marker}' $status");
        _process.StandardInput.Flush();
        var output = new StringBuilder();
        using var end = new CancellationTokenSource(limit);
        while (true)
        {
            string? line;
            try
            {
                line = _process.StandardOutput.ReadLineAsync(end.Token).AsTask().GetAwaiter().GetResult();
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"no end of: {command}\n{output}\n{_errors}");
            }
            if (line is null)
                throw new InvalidOperationException($"the lab ended during: {command}\n{output}\n{_errors}");
            if (line.StartsWith(marker, StringComparison.Ordinal))
                return new CommandResult(int.Parse(line.AsSpan(marker.Length), CultureInfo.InvariantCulture), output.ToString());
            output.Append(line).Append('\n');
        }
    }

    /// <summary>Runs a shell command that must succeed.</summary>
    public string Check(string command, TimeSpan? bound = null)
    {
        var result = Run(command, bound);
        Assert.True(result.Status == 0, $"status {result.Status} of: {command}\n{result.Output}");
        return result.Output.Trim();
    }

    /// <summary>Binds a function of the emulated host to a driver.</summary>
    public void Bind(string address, string driver) => Check(
        $"""
        cd /sys/bus/pci/devices/{address}
        echo {driver} > driver_override
        [ ! -e driver ] || echo {address} > driver/unbind
        modprobe {driver}
        echo {address} > /sys/bus/pci/drivers_probe
        [ "$(basename "$(readlink driver)")" = {driver} ]
        """);

    /// <inheritdoc/>
    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(20)))
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        Shared.Delete(recursive: true);
    }
}
