using System.Runtime.InteropServices;

namespace Hatchway.Linux.Tests;

/// <summary>Taps, as far as they can be tested without the right to make one.</summary>
public sealed class TapFileTests
{
    [Fact]
    public void A_part_of_memory_is_what_the_kernel_takes_for_one()
    {
        // KernelHeaderTests checks the order of struct iovec's fields.
        ReadOnlySpan<HostRange> ranges = [new(1, 2), new(3, 4)];
        Assert.Equal<nuint>([1, 2, 3, 4], MemoryMarshal.Cast<HostRange, nuint>(ranges).ToArray());
    }

    [Fact]
    public void An_interface_that_is_there_is_found_and_is_up_and_no_tap()
    {
        Assert.True(NetworkInterface.Exists("lo"));
        Assert.False(NetworkInterface.Exists("no-such-one"));
        Assert.False(NetworkInterface.IsTunnel("lo"));
        Assert.Equal(Errno.ENODEV, Assert.Throws<LinuxException>(() => NetworkInterface.IsUp("no-such-one")).Errno);
    }
}
