using System.Diagnostics;
using System.Text.Json;
using Hatchway.CommandLine;
using Hatchway.Control;
using Hatchway.Passthrough;
using Hatchway.Passthrough.Host;
using Hatchway.Terminal;
using Microsoft.Extensions.Logging;

namespace Hatchway.Vm;

/// <summary>A guest across its reboots: each makes a new machine, so that everything has its initial state and the devices are
/// reset.</summary>
/// <remarks>One thread runs it; any thread may make requests.</remarks>
internal sealed class GuestLife : IGuestControl, IDisposable
{
    private static readonly TimeSpan PowerOffBound = TimeSpan.FromSeconds(30);

    // The most lines a minute that all devices and restarts may log together.
    private const int MostLines = 100;

    private readonly RunOptions _options;
    private readonly IReadOnlyList<(SlotOption Slot, HostDevice Host)> _hosts;
    private readonly ILogger _log;
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    // Guards the fields below. Between two machines there is none, and a request to end must not get lost then.
    // Taken before any of the machine's locks.
    private readonly Lock _gate = new();
    private VirtualMachine? _machine;
    private bool _isPressed;
    private Timer? _powerOffLimit;
    private bool _isStopped;

    /// <param name="options">What the user asked for.</param>
    /// <param name="hosts">The host's functions for the guest, already checked.</param>
    /// <param name="log">Receives limitations.</param>
    public GuestLife(RunOptions options, IReadOnlyList<(SlotOption Slot, HostDevice Host)> hosts, ILogger log)
    {
        (_options, _hosts) = (options, hosts);
        // One limit for all restarts: a guest that restarts repeatedly logs the same lines each time.
        _log = new LimitedLogger(log, "the guest", MostLines, TimeProvider.System);
        Console = options.SerialPorts.Any(static port => port.Number == 1) ? new AttachedConsole() : null;
    }

    /// <summary>Runs the guest, with its reboots, to its end.</summary>
    /// <param name="statistics">Receives the last machine's counters, or null.</param>
    /// <exception cref="UserException">The guest could not be made, or could not run on.</exception>
    public EndReason Run(Stream? statistics)
    {
        for (var starts = 0; ; starts++)
        {
            using var machine = starts == 0 ? Make(_hosts) : MakeAgain();
            if (starts == 0)
                GuestSandbox.RestrictSystemCalls(_options);
            try
            {
                var end = Begin(machine) ? machine.Run() : EndReason.Stopped;
                if (end == EndReason.Reboot && _options.RestartOnReboot && !IsEnding)
                {
                    if (machine.IsStuck)
                        throw new UserException("the guest can't be restarted: a register handler still has one of its CPUs");
                    continue;
                }
                if (statistics is not null)
                    Write(statistics, machine, end);
                return end;
            }
            finally
            {
                lock (_gate)
                    _machine = null;
            }
        }
    }

    private void Write(Stream statistics, VirtualMachine machine, EndReason end)
    {
        try
        {
            using var json = new Utf8JsonWriter(statistics, new JsonWriterOptions { Indented = true });
            Statistics.Write(json, _options.Name, machine, end, _clock.Elapsed);
        }
        catch (IOException failure)
        {
            throw new UserException($"--stats {_options.StatisticsFile}: can't be written: {failure.Message}");
        }
    }

    /// <summary>Presses the guest's power button; at the second call, switches the guest off.</summary>
    public void Terminate()
    {
        lock (_gate)
        {
            if (_isPressed)
                Stop();
            else
                PressPowerButton();
        }
    }

    /// <inheritdoc/>
    public AttachedConsole? Console { get; }

    /// <inheritdoc/>
    public void PressPowerButton()
    {
        lock (_gate)
        {
            if (_machine is null)
                Stop();
            if (_isPressed || _machine is null)
                return;
            _isPressed = true;
            // A paused guest could not react.
            _machine.Resume();
            _machine.PressPowerButton();
            _powerOffLimit = new Timer(_ => SwitchOff(), null, PowerOffBound, Timeout.InfiniteTimeSpan);
        }
    }

    /// <inheritdoc/>
    public void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
            _machine?.Stop();
        }
    }

    /// <inheritdoc/>
    public string? Pause()
    {
        lock (_gate)
        {
            if (_machine is null)
                return "the guest is just restarting: ask again";
            if (_machine.Pause())
                return null;
            return _machine.HasCpuInHandler
                ? "not all of its CPUs stand still: a register handler has one, which will when the handler returns"
                : "not all of its CPUs stand still: the kernel has one, for a device's reset, a large BAR or output that nobody reads";
        }
    }

    /// <inheritdoc/>
    public void Resume()
    {
        lock (_gate)
            _machine?.Resume();
    }

    /// <inheritdoc/>
    public void WriteStatus(Utf8JsonWriter json)
    {
        lock (_gate)
        {
            json.WriteStartObject();
            json.WriteString("name", _options.Name);
            json.WriteNumber("pid", Environment.ProcessId);
            var state = _machine switch { null => "starting", { IsPaused: true } => "paused", _ => _isPressed ? "stopping" : "running" };
            json.WriteString("state", state);
            json.WriteNumber("cpus", _options.Cpus);
            json.WriteNumber("memory", _options.Memory.Bytes);
            json.WriteNumber("seconds", Math.Round(_clock.Elapsed.TotalSeconds, 3));
            json.WriteStrings("devices", _hosts.Select(static entry => entry.Host.Address.ToString()));
            json.WriteEndObject();
        }
    }

    /// <inheritdoc/>
    public void WriteStatistics(Utf8JsonWriter json)
    {
        lock (_gate)
        {
            if (_machine is { } machine)
            {
                Statistics.Write(json, _options.Name, machine, EndReason.None, _clock.Elapsed);
                return;
            }
            json.WriteStartObject();
            json.WriteString("error", "the guest is just restarting: ask again");
            json.WriteEndObject();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
            _powerOffLimit?.Dispose();
    }

    // After a press of the button the guest is to end, even if it reboots instead.
    private bool IsEnding
    {
        get
        {
            lock (_gate)
                return _isStopped || _isPressed;
        }
    }

    private VirtualMachine Make(IReadOnlyList<(SlotOption Slot, HostDevice Host)> hosts) => new(_options, hosts, Console, Stop, _log);

    private VirtualMachine MakeAgain()
    {
        var hosts = FindAgain();
        while (true)
        {
            try
            {
                return Make(hosts);
            }
            catch (PassthroughException)
            {
                // The host may just have taken a device back, which by now has no driver.
                var found = FindAgain();
                if (found.Count == hosts.Count)
                    throw;
                hosts = found;
            }
        }
    }

    // A device that the host has taken back is missing at the next start, like a card that was pulled; once returned, it is there again.
    private List<(SlotOption Slot, HostDevice Host)> FindAgain()
    {
        var preconditions = new Preconditions(new HostView());
        var found = new List<(SlotOption Slot, HostDevice Host)>();
        foreach (var (slot, host) in _hosts)
        {
            try
            {
                found.Add((slot, preconditions.CheckDevice(host.Address)));
            }
            catch (PassthroughException failure)
            {
                _log.RestartWithout(slot.Slot, slot.Function, failure.Message);
            }
        }
        return found;
    }

    private bool Begin(VirtualMachine machine)
    {
        lock (_gate)
        {
            // The button may have been pressed when the previous machine could no longer react.
            if (_isStopped || _isPressed)
                return false;
            _machine = machine;
            return true;
        }
    }

    private void SwitchOff()
    {
        _log.PowerOffTookTooLong((int)PowerOffBound.TotalSeconds);
        Stop();
    }
}
