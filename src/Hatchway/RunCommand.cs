using System.Runtime.InteropServices;
using Hatchway.CommandLine;
using Hatchway.Control;
using Hatchway.Linux;
using Hatchway.Logging;
using Hatchway.Passthrough.Host;
using Hatchway.Vm;
using Microsoft.Extensions.Logging;

namespace Hatchway;

/// <summary><c>hatchway run</c>: runs a guest from its first instruction to its end.</summary>
internal static class RunCommand
{
    /// <summary>Reads the command line, and runs the guest or prints what is asked for instead.</summary>
    public static ExitStatus Execute(ReadOnlySpan<string> args)
    {
        var arguments = Getopt.Parse("run", args, Flags.Known);
        foreach (var (option, value) in arguments.Options)
        {
            switch (option.Name, value)
            {
                case ("help" or "h", _):
                    return Print(Help.Run);
                case ("s", "help"):
                    return Print(SlotFlag.Help);
                case ("l", "help"):
                    return Print(LpcFlag.Help);
                default:
                    break;
            }
        }
        var tree = Flags.ToTree(arguments);
        if (!tree.Root.Flag("config.dump", false))
        {
            var options = RunOptions.From(tree);
            return Execute(options with { Notes = [.. Flags.WithoutEffect(arguments), .. options.Notes] });
        }
        Console.Out.Write(tree.Dump());
        // bhyve's exit status after a dump (usr.sbin/bhyve/bhyverun.c).
        return ExitStatus.PoweredOff;
    }

    private static ExitStatus Print(string text)
    {
        Console.Out.WriteLine(text);
        return CommandStatus.Success;
    }

    private static ExitStatus Execute(RunOptions options)
    {
        var log = new StandardErrorLogger(options.Verbose ? LogLevel.Information : LogLevel.Warning);
        foreach (var warning in options.Warnings)
            log.Configuration(warning);
        foreach (var note in options.Notes)
            log.Note(note);
        CheckMemory(options);
        CheckPins(options);
        var hosts = CheckHost(options);
        using var statistics = OpenStatistics(options.StatisticsFile);
        var folder = ControlFolder.OfUser();
        folder?.Make();
        GuestSandbox.RestrictFiles(options, folder, log);
        using var guest = new GuestLife(options, hosts, log);
        using var control = OpenControl(folder, options.Name, guest, log);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Handle(context, guest.Terminate));
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Handle(context, guest.Stop));
        using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => Handle(context, guest.Stop));
        using var quit = PosixSignalRegistration.Create(PosixSignal.SIGQUIT, context => Handle(context, guest.Stop));
        var end = guest.Run(statistics);
        control?.Tell(end);
        return end switch
        {
            EndReason.Reboot => ExitStatus.Rebooted,
            EndReason.TripleFault => ExitStatus.TripleFault,
            _ => ExitStatus.PoweredOff,
        };
    }

    private static ControlServer? OpenControl(ControlFolder? folder, string name, GuestLife guest, StandardErrorLogger log)
    {
        if (folder is not null)
            return new ControlServer(folder, name, guest);
        log.NoControl();
        return null;
    }

    private static void Handle(PosixSignalContext context, Action action)
    {
        context.Cancel = true;
        action();
    }

    private static void CheckMemory(RunOptions options)
    {
        var (bytes, huge, host) = (options.Memory.Bytes, options.Memory.HugePageBytes, ResourceLimits.HostMemory);
        if (bytes > host)
        {
            var given = options.Settings.Root.Origin("memory.size");
            throw new UserException($"{given}: {bytes >> 20} MiB are more than this host has, {host >> 20} MiB: give less");
        }
        if (huge == 0)
            return;
        var (pool, need, origin) = (new HugePagePool(huge), bytes / huge, options.Settings.Root.Origin("memory.hugepages"));
        if (!pool.Exists)
            throw new UserException($"{origin}: this host has no huge pages of {MemorySize.Format(huge)}: use another size");
        if (pool.Available is var available && available < need)
        {
            throw new UserException(
                $"{origin}: {MemorySize.Format(bytes)} take {need} huge pages of {MemorySize.Format(huge)}, and {available} are free: "
                + $"'echo {pool.Total - available + need} > {pool.SizeFile}'");
        }
    }

    private static void CheckPins(RunOptions options)
    {
        if (options.Pins.Count == 0)
            return;
        var allowed = CpuAffinity.Current;
        foreach (var (vcpu, cpus) in options.Pins)
        {
            if (vcpu < options.Cpus && cpus.FirstOrDefault(cpu => !allowed.Contains(cpu), -1) is >= 0 and var missing)
            {
                var origin = options.Settings.Root.Origin($"vcpu.{vcpu}.cpuset");
                throw new UserException(
                    $"{origin}: the host has no CPU {missing}, or none for this process; it may use {string.Join(',', allowed)}");
            }
        }
    }

    // Checks all that can be known before any device is opened.
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
        // Huge pages are locked by nature, but VFIO counts them against the limit, too.
        if (hosts.Count > 0 || (options.Memory.Locked && options.Memory.HugePageBytes == 0))
            preconditions.CheckMemoryLock(options.Memory.Bytes);
        return hosts;
    }

    private static FileStream? OpenStatistics(string? path)
    {
        try
        {
            return path is null ? null : new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"--stats {path}: can't be written: {FileFailure.Reason(failure, path!)}");
        }
    }
}
