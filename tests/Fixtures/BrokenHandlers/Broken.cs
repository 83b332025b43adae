using Hatchway.Pci.Bars;
using Hatchway.Pci.Handlers;

namespace BrokenHandlers;

/// <summary>Handlers that misbehave: in BAR0, 2000h throws, 3000h takes three seconds and 4000h never returns.</summary>
public sealed class Broken : IDeviceHandlers
{
    /// <inheritdoc/>
    public void Attach(IDeviceContext device)
    {
        device.Handle(new(0), 0x2000, 4, "thrower", new Thrower());
        device.Handle(new(0), 0x3000, 4, "sleeper", new Sleeper(TimeSpan.FromSeconds(3)));
        device.Handle(new(0), 0x4000, 4, "hanger", new Sleeper(Timeout.InfiniteTimeSpan));
    }

    private sealed class Thrower : IBarHandler
    {
        public ulong Read(in BarAccess access) => throw new InvalidOperationException("out of order\nand on a second line");

        public void Write(in BarAccess access, ulong value) => throw new InvalidOperationException("out of order");
    }

    private sealed class Sleeper(TimeSpan time) : IBarHandler
    {
        private static readonly ManualResetEventSlim Never = new();

        public ulong Read(in BarAccess access)
        {
            Never.Wait(time);
            return 0;
        }

        public void Write(in BarAccess access, ulong value) => Never.Wait(time);
    }
}
