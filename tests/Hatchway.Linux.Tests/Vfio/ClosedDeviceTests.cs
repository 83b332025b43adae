using Hatchway.Linux.Interop;
using Hatchway.Linux.Vfio;

namespace Hatchway.Linux.Tests.Vfio;

/// <summary>A device that is closed while vCPUs use it; a file plays the device.</summary>
public sealed class ClosedDeviceTests : IDisposable
{
    private static readonly VfioRegionInfo Region = new(4096, 0, true, false, []);
    private readonly string _file = Path.GetTempFileName();

    public ClosedDeviceTests() => File.WriteAllBytes(_file, [0x78, 0x56, 0x34, 0x12]);

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void A_closed_device_does_not_answer_and_takes_nothing()
    {
        var device = Open();
        Assert.True(device.TryRead(Region, 0, 4, out var value));
        Assert.Equal(0x1234_5678ul, value);

        device.Dispose();

        Assert.False(device.TryRead(Region, 0, 4, out _));
        Assert.False(device.TryWrite(Region, 0, 4, 0));
        Assert.Equal([0x78, 0x56, 0x34, 0x12], File.ReadAllBytes(_file));
    }

    [Fact]
    public async Task Accesses_under_way_while_a_device_is_closed_are_answered_or_not_but_never_fail()
    {
        for (var round = 0; round < 50; round++)
        {
            var device = Open();
            using var started = new CountdownEvent(2);
            var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
            {
                started.Signal();
                ulong value;
                while (device.TryRead(Region, 0, 4, out value))
                    Assert.Equal(0x1234_5678ul, value);
            })).ToArray();
            started.Wait(TestContext.Current.CancellationToken);

            device.Dispose();

            await Task.WhenAll(readers);
        }
    }

    private VfioDevice Open() => new(FileDescriptor.OpenPath(_file, Libc.O_RDWR));
}
