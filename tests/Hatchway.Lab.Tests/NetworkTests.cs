using System.Text.Json;

namespace Hatchway.Lab.Tests;

/// <summary>Linux's own driver on network cards whose backends are taps of the emulated host.</summary>
public sealed class NetworkTests(HostWithoutDevices plain) : IClassFixture<HostWithoutDevices>
{
    private const int CopyBytes = 1 << 20;

    // Reads all input, prints its digest, and then sends all of it back. One direction at a time, because busybox's nc does not close its
    // sending side.
    private const string Server =
        """
        import hashlib, socketserver
        class Copy(socketserver.StreamRequestHandler):
            def handle(self):
                data = self.rfile.read(1 << 20)
                print("SERVER", self.server.server_address[0], len(data), hashlib.sha256(data).hexdigest(), flush=True)
                self.wfile.write(data)
        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
        Server(("0.0.0.0", 7000), Copy).serve_forever()
        """;

    // made: an interface that Hatchway makes, with two pairs of queues. ready: an existing one, with packed rings.
    private const string Script =
        """
        card() {
            for path in /sys/class/net/eth*; do
                [ "$(cat "$path/address")" != "$1" ] || echo "${path##*/}"
            done
        }
        feature() {
            cut -c $(($2 + 1)) "/sys/class/net/$1/device/features"
        }
        copy() {
            nc "$2" 7000 < /tmp/data > /tmp/back
            echo "RESULT $1.copied=$(sha256sum < /tmp/back | cut -d ' ' -f 1)"
        }
        up() {
            made=$(card 02:00:00:12:34:56)
            ready=$(card 00:a0:98:77:c2:c9)
            ip addr add 10.9.0.2/24 dev "$made"
            ip addr add 10.9.1.2/24 dev "$ready"
            ip link set "$made" up
            ip link set "$ready" up
        }
        up
        echo "RESULT made.mtu=$(cat /sys/class/net/$made/mtu)"
        echo "RESULT made.queues=$(ls -d /sys/class/net/$made/queues/rx-* | wc -l)"
        echo "RESULT made.packed=$(feature $made 34)"
        echo "RESULT ready.mtu=$(cat /sys/class/net/$ready/mtu)"
        echo "RESULT ready.queues=$(ls -d /sys/class/net/$ready/queues/rx-* | wc -l)"
        echo "RESULT ready.packed=$(feature $ready 34)"
        # Checksums and whole segments of TCP are left to the other side, both ways; a packet may be in several buffers (VIRTIO 1.2 §5.1.3).
        echo "RESULT made.offloads=$(feature $made 0)$(feature $made 1)$(feature $made 7)$(feature $made 11)$(feature $made 15)"
        echo "RESULT made.carrier=$(cat /sys/class/net/$made/carrier)"
        echo "RESULT made.ping=$(ping -c 3 -W 20 -i 0.2 10.9.0.1 | grep -o '[0-9]* packets received')"
        echo "RESULT ready.ping=$(ping -c 3 -W 20 -i 0.2 10.9.1.1 | grep -o '[0-9]* packets received')"
        dd if=/dev/urandom of=/tmp/data bs=1M count=1 2> /dev/null
        echo "RESULT sha256=$(sha256sum < /tmp/data | cut -d ' ' -f 1)"
        copy made 10.9.0.1
        copy ready 10.9.1.1
        # A driver that goes, and one that comes.
        rmmod virtio_net && modprobe virtio_net
        up
        echo "RESULT made.again=$(ping -c 1 -W 20 10.9.0.1 | grep -o '[0-9]* packets received')"
        copy again 10.9.1.1
        echo "BEGIN interrupts"
        cat /proc/interrupts
        echo "END interrupts"
        dmesg -r | grep '^<[0-4]>.*virtio' | sed 's/^/WARNING /'
        """;

    private readonly LabHost _host = plain.Host;

    [Fact]
    public void A_guest_reaches_its_host_by_taps_and_copies_both_ways()
    {
        var initrd = _host.PathOf("network.cpio");
        Repository.MakeInitrd(Script, initrd);
        File.WriteAllText(_host.PathOf("server.py"), Server);
        _host.Check("ip tuntap add dev ready0 mode tap && ip addr add 10.9.1.1/24 dev ready0 && ip link set ready0 up");
        _host.Check($"python3 {_host.PathOf("server.py")} > /tmp/server.log 2>&1 & echo $! > /tmp/server.pid");
        // The interface that Hatchway makes gets its address as soon as it exists.
        _host.Check("(until ip addr add 10.9.0.1/24 dev made0; do usleep 100000; done) > /dev/null 2>&1 &");
        var devices = "-s 3:0,virtio-net,made0,mac=02:00:00:12:34:56,mtu=1400,queues=2 -s 4:0,virtio-net,ready0,ring=packed "
            + $"--stats {_host.PathOf("stats.json")}";

        var run = _host.Run(Guests.Linux(Repository.Kernel, initrd, $"-c 2 -m 256M {devices}"), 2 * Guests.Bound);

        var served = _host.Check("cat /tmp/server.log; kill $(cat /tmp/server.pid)");
        Assert.True(run.Status == 1, run.Output);
        Assert.Equal(("1400", "2", "0"), (run.Result("made.mtu"), run.Result("made.queues"), run.Result("made.packed")));
        Assert.Equal(("1500", "1", "1"), (run.Result("ready.mtu"), run.Result("ready.queues"), run.Result("ready.packed")));
        Assert.Equal("11111", run.Result("made.offloads"));
        Assert.Equal("1", run.Result("made.carrier"));
        Assert.Equal(("3 packets received", "3 packets received"), (run.Result("made.ping"), run.Result("ready.ping")));
        var digest = run.Result("sha256")!;
        Assert.Equal((digest, digest), (run.Result("made.copied"), run.Result("ready.copied")));
        Assert.Equal(3, served.Split('\n').Count(line => line.EndsWith($"{CopyBytes} {digest}", StringComparison.Ordinal)));
        Assert.Equal(("1 packets received", digest), (run.Result("made.again"), run.Result("again.copied")));
        Assert.Contains(run.Section("interrupts"), static line => line.EndsWith("-output.1", StringComparison.Ordinal));
        Assert.DoesNotContain("WARNING", run.Output, StringComparison.Ordinal);
        // The interface that Hatchway made has gone with the guest, and only that one.
        Assert.Equal("ready0", _host.Check("ls /sys/class/net | grep -E 'made0|ready0'"));

        using var statistics = JsonDocument.Parse(File.ReadAllText(_host.PathOf("stats.json")));
        foreach (var card in statistics.RootElement.GetProperty("devices").EnumerateArray())
        {
            Assert.InRange(card.GetProperty("sentBytes").GetInt64(), CopyBytes, long.MaxValue);
            Assert.InRange(card.GetProperty("receivedBytes").GetInt64(), CopyBytes, long.MaxValue);
            Assert.Equal(0, card.GetProperty("receivedDropped").GetInt64());
        }
    }

    [Theory]
    [InlineData("true", "virtio-net,lo", "lo is no tap")]
    [InlineData("ip tuntap add dev single0 mode tap", "virtio-net,single0,queues=2", "single0 has one queue: leave ',queues=2' away")]
    [InlineData("true", "virtio-net,twice0 -s 4,virtio-net,twice0", "twice0 is in use")]
    public void An_interface_that_can_not_be_had_is_an_error_of_one_line(string prepare, string device, string message)
    {
        _host.Check(prepare);

        var run = _host.Run($"{Repository.Program} run -s 3:0,{device} --kernel {Repository.Kernel} none");

        Assert.Equal(4, run.Status);
        Assert.Contains(message, Assert.Single(run.Output.Trim().Split('\n')), StringComparison.Ordinal);
    }
}
