using Hatchway.CommandLine;
using Hatchway.Devices;
using Hatchway.Linux;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hatchway.Tests.Devices;

/// <summary>A tap of this host's as the other end of a network card. Nothing passes, so there is no RAM.</summary>
public sealed class TapBackendTests
{
    private static readonly string Name = $"hwtest{Environment.ProcessId % 1_000_000}";

    [Fact]
    public void Queues_that_can_not_all_be_used_are_used_as_before()
    {
        using var tap = Open(queues: 3);
        tap.Restart(default);
        var queues = tap.Inputs.Select(static input => (TapFile)input.File).ToArray();
        // The kernel refuses what is so already: somebody else uses the last one.
        Assert.True(queues[2].TrySetActive(true));

        Assert.False(tap.TryUse(3));

        Assert.False(queues[1].TrySetActive(false));
        Assert.True(queues[2].TrySetActive(false));
        Assert.True(tap.TryUse(3));
        Assert.True(tap.TryUse(2));
        Assert.False(queues[2].TrySetActive(false));
        Assert.True(queues[1].TrySetActive(false));
    }

    [Fact]
    public void An_interface_with_a_larger_mtu_than_the_guest_is_told_of_is_refused()
    {
        // It was there before the card, with two queues, so that one is left.
        using var before = Open(queues: 2, mtu: 1400);
        Assert.Equal(1400, NetworkInterface.Mtu(Name));

        var refused = Assert.Throws<UserException>(() => Open(mtu: 1399));
        Assert.Equal(
            $"-s 3: {Name} lets packets of 1400 bytes pass, and the guest would be told of 1399: 'ip link set {Name} mtu 1399', "
            + "or leave ',mtu=1399' away",
            refused.Message);

        Open(mtu: 1400).Dispose();
        Open(mtu: 1401).Dispose();
        Open().Dispose();
    }

    private static TapBackend Open(int queues = 1, int? mtu = null)
    {
        try
        {
            return TapBackend.Open("-s 3", new VirtioNetOptions(Name, null, mtu, queues), null!, NullLogger.Instance);
        }
        catch (UserException failure) when (failure.Message.Contains("CAP_NET_ADMIN", StringComparison.Ordinal)
            || failure.Message.Contains("/dev/net/tun", StringComparison.Ordinal))
        {
            Assert.Skip(failure.Message);
            throw;
        }
    }
}
