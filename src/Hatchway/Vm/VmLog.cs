using Hatchway.Pci.Address;
using Microsoft.Extensions.Logging;

namespace Hatchway.Vm;

/// <summary>What is told while a guest is made.</summary>
internal static partial class VmLog
{
    [LoggerMessage(LogLevel.Warning, "{Device}: {Warning}")]
    public static partial void BrokenCapabilities(this ILogger log, PciAddress device, string warning);

    [LoggerMessage(LogLevel.Warning, "{Failure}")]
    public static partial void BarWithoutRoom(this ILogger log, string failure);

    [LoggerMessage(LogLevel.Warning, "{Device}: {Warning}")]
    public static partial void HandlerWarning(this ILogger log, PciAddress device, string warning);
}
