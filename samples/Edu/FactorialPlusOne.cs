using Hatchway.Pci.Bars;

namespace Edu;

/// <summary>The device computes n!; the guest reads one more.</summary>
internal sealed class FactorialPlusOne : IBarHandler
{
    /// <inheritdoc/>
    public ulong Read(in BarAccess access) => access.ReadHost() + 1;

    /// <inheritdoc/>
    public void Write(in BarAccess access, ulong value) => access.WriteHost(value);
}
