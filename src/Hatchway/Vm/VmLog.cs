using Hatchway.Pci.Address;
using Microsoft.Extensions.Logging;

namespace Hatchway.Vm;

/// <summary>The messages that are logged while a guest is made and runs.</summary>
internal static partial class VmLog
{
    [LoggerMessage(LogLevel.Warning, "{Warning}")]
    public static partial void Configuration(this ILogger log, string warning);

    [LoggerMessage(LogLevel.Information, "{Note}")]
    public static partial void Note(this ILogger log, string note);

    [LoggerMessage(LogLevel.Warning, "{Device}: {Warning}")]
    public static partial void BrokenCapabilities(this ILogger log, PciAddress device, string warning);

    [LoggerMessage(LogLevel.Warning, "{Failure}")]
    public static partial void BarWithoutRoom(this ILogger log, string failure);

    [LoggerMessage(LogLevel.Warning, "{Device}: {Warning}")]
    public static partial void HandlerWarning(this ILogger log, PciAddress device, string warning);

    [LoggerMessage(LogLevel.Warning, "{Device}: the host wants it back, and has it: slot {Slot}:{Function} of the guest is empty now")]
    public static partial void GivenBack(this ILogger log, PciAddress device, int slot, int function);

    [LoggerMessage(
        LogLevel.Information,
        "{Device} is not reset, since it has no reset of its own: the host gets it in the state the guest left it in")]
    public static partial void GivenBackAsLeft(this ILogger log, PciAddress device);

    [LoggerMessage(LogLevel.Warning, "the guest starts again with an empty slot {Slot}:{Function}: {Reason}")]
    public static partial void RestartWithout(this ILogger log, int slot, int function, string reason);

    [LoggerMessage(LogLevel.Warning, "{Device}: the host wants it back, but it can't be let go ({Reason}): end this guest")]
    public static partial void NotGivenBack(this ILogger log, PciAddress device, string reason);

    [LoggerMessage(
        LogLevel.Warning,
        "{Device} reports an uncorrectable error: 'dmesg' of the host says which; "
        + "what the guest does with the device may fail until its driver resets it")]
    public static partial void UncorrectableError(this ILogger log, PciAddress device);

    [LoggerMessage(LogLevel.Warning, "the guest has not powered off within {Seconds} s: it is switched off")]
    public static partial void PowerOffTookTooLong(this ILogger log, int seconds);

    [LoggerMessage(
        LogLevel.Warning,
        "this kernel has no Landlock, or it is switched off ('lsm=' of the kernel's command line): "
        + "the process keeps its user's rights to files")]
    public static partial void NoLandlock(this ILogger log);

    [LoggerMessage(
        LogLevel.Warning,
        "there is no XDG_RUNTIME_DIR for a control socket: 'hatchway ps' won't find this guest, 'stop' and others can't reach it")]
    public static partial void NoControl(this ILogger log);

    [LoggerMessage(
        LogLevel.Warning,
        "-l bootrom: no file for firmware's variables: what it or the guest keeps in them, as boot entries, is gone at the end")]
    public static partial void NoVariables(this ILogger log);

    [LoggerMessage(
        LogLevel.Warning,
        "firmware's variables can't be written to their file ({Reason}): what changes in them is gone at the end")]
    public static partial void VariablesNotKept(this ILogger log, string reason);
}
