using System.Diagnostics;
using System.Runtime.InteropServices;
using Hatchway.CommandLine;
using Hatchway.Linux;
using Hatchway.Logging;
using Hatchway.Passthrough.Host;
using Hatchway.Vm;
using Microsoft.Extensions.Logging;

namespace Hatchway;

/// <summary><c>hatchway run</c>: a guest from its first instruction to its end.</summary>
internal static class RunCommand
{
    public static ExitStatus Execute(RunOptions options)
    {
        var log = new StandardErrorLogger(options.Verbose ? LogLevel.Information : LogLevel.Warning);
        foreach (var warning in options.Warnings)
            log.Configuration(warning);
        foreach (var note in options.Notes)
            log.Note(note);
        CheckMemory(options.MemoryBytes);
        var hosts = CheckHost(options);
        using var statistics = OpenStatistics(options.StatisticsFile);
        using var machine = new VirtualMachine(options, hosts, log);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Handle(context, machine.PressPowerButton));
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Handle(context, machine.Stop));
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => Handle(context, machine.Stop));
        var clock = Stopwatch.StartNew();
        var end = machine.Run();
        if (statistics is not null)
            Statistics.Write(statistics, machine, end, clock.Elapsed);
        return end switch
        {
            EndReason.Reboot => ExitStatus.Rebooted,
            EndReason.TripleFault => ExitStatus.TripleFault,
            _ => ExitStatus.PoweredOff,
        };
    }

    private static void Handle(PosixSignalContext context, Action action)
    {
        context.Cancel = true;
        action();
    }

    private static void CheckMemory(ulong bytes)
    {
        var host = ResourceLimits.HostMemory;
        if (bytes > host)
            throw new UserException($"-m: {MemorySize.Format(bytes)} is more than this host has, {MemorySize.Format(host)}: give less");
    }

    // All that can be known before anything is opened.
    private static List<(SlotOption Slot, HostDevice Host)> CheckHost(RunOptions options)
    {
        var preconditions = new Preconditions(new HostView());
        preconditions.CheckKvm();
        var hosts = new List<(SlotOption Slot, HostDevice Host)>();
        foreach (var slot in options.Slots)
        {
            if (slot.Emulation is PassthruSlot passthru)
                hosts.Add((slot, preconditions.CheckDevice(passthru.Host)));
        }
        if (hosts.Count > 0)
            preconditions.CheckMemoryLock(options.MemoryBytes);
        return hosts;
    }

    private static FileStream? OpenStatistics(string? path)
    {
        try
        {
            return path is null ? null : File.Create(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"--stats {path}: can't be written: {failure.Message}");
        }
    }
}
