using Hatchway.Pci.Bars;
using Hatchway.Pci.Handlers;

namespace Hatchway.Bench;

/// <summary>A user's handler for bench/run: four bytes at 40h of BAR 0 and of BAR 1 that read as a constant.
/// It costs what any handler costs at least.</summary>
public sealed class NoWork : IDeviceHandlers, IBarHandler
{
    private const ulong Offset = 0x40;

    /// <inheritdoc/>
    public void Attach(IDeviceContext device)
    {
        device.Handle(new(0), Offset, 4, "no work", this);
        device.Handle(new(1), Offset, 4, "no work", this);
    }

    /// <inheritdoc/>
    public ulong Read(in BarAccess access) => 0x1234_5678;

    /// <inheritdoc/>
    public void Write(in BarAccess access, ulong value)
    {
    }
}
