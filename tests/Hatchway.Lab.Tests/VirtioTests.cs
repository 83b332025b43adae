using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Hatchway.Lab.Tests;

/// <summary>An emulated host with no devices to give away.</summary>
public sealed class HostWithoutDevices : IDisposable
{
    public LabHost Host { get; } = new();

    public void Dispose() => Host.Dispose();
}

/// <summary>Linux's own virtio drivers on the software devices.</summary>
public sealed class VirtioTests(HostWithoutDevices plain) : IClassFixture<HostWithoutDevices>
{
    private const int Requests = 2_000;

    private const string Script =
        """
        disk() {
            for path in /sys/block/vd*; do
                [ "$(cat $path/serial)" != "$1" ] || echo "${path##*/}"
            done
        }
        feature() {
            cut -c $(($2 + 1)) "$1/features"
        }
        digest() {
            sha256sum < "$1" | cut -d ' ' -f 1
        }
        source=$(disk source)
        target=$(disk target)
        echo "RESULT source.ro=$(cat /sys/block/$source/ro)"
        echo "RESULT source.packed=$(feature /sys/block/$source/device 34)"
        echo "RESULT target.packed=$(feature /sys/block/$target/device 34)"
        echo "RESULT target.block=$(cat /sys/block/$target/queue/logical_block_size)/$(cat /sys/block/$target/queue/physical_block_size)"
        echo "RESULT target.cache=$(cat /sys/block/$target/queue/write_cache)"
        echo "RESULT source.sha256=$(digest /dev/$source)"
        dd if=/dev/$source of=/dev/$target bs=256k conv=fsync 2> /dev/null
        echo 3 > /proc/sys/vm/drop_caches
        echo "RESULT target.sha256=$(digest /dev/$target)"
        (echo written > /dev/$source) 2> /dev/null && echo "RESULT source.written=yes"
        blkdiscard -o 1048576 -l 1048576 /dev/$target && echo "RESULT discarded=yes"
        echo 3 > /proc/sys/vm/drop_caches
        echo "RESULT after.discard=$(dd if=/dev/$target bs=1M skip=1 count=1 2> /dev/null | sha256sum | cut -d ' ' -f 1)"
        echo "RESULT rng=$(cat /sys/class/misc/hw_random/rng_current)"
        echo "RESULT random.bytes=$(dd if=/dev/hwrng bs=4096 count=16 iflag=fullblock 2> /dev/null | wc -c)"
        for i in 1 2; do
            echo "RESULT random.$i=$(dd if=/dev/hwrng bs=4096 count=1 iflag=fullblock 2> /dev/null | sha256sum)"
        done
        echo "BEGIN interrupts"
        cat /proc/interrupts
        echo "END interrupts"
        dd if=/dev/$target of=/dev/null bs=4k count=2000 iflag=direct 2>&1 | tail -n 1
        echo "RESULT requests=$(awk '{ print $1 }' /sys/block/$target/stat)"
        dmesg -r | grep '^<[0-4]>.*virtio' | sed 's/^/WARNING /'
        """;

    private readonly LabHost _host = plain.Host;

    [Fact]
    public void A_guest_uses_disks_and_random_bytes_without_an_exit_for_each_request()
    {
        var initrd = _host.PathOf("virtio.cpio");
        Repository.MakeInitrd(Script, initrd);
        // In the emulated host's memory, whose file system supports holes.
        _host.Check("truncate -s 16M /tmp/target.img");
        var devices = $"-s 3:0,virtio-blk,/tmp/target.img,ser=target -s 4:0,virtio-blk,{Repository.Disk},ro,ser=source,ring=packed "
            + $"-s 5:0,virtio-rnd,ring=packed --stats {_host.PathOf("stats.json")}";

        var run = _host.Run(Guests.Linux(Repository.Kernel, initrd, $"-c 1 -m 256M {devices}"), Guests.Bound);

        Assert.True(run.Status == 1, run.Output);
        var content = File.ReadAllBytes(Repository.Disk);
        var digest = Digest(content);
        Assert.Equal(digest, run.Result("source.sha256"));
        Assert.Equal(("1", "1", "0"), (run.Result("source.ro"), run.Result("source.packed"), run.Result("target.packed")));
        Assert.Null(run.Result("source.written"));
        Assert.Equal(("512/4096", "write back"), (run.Result("target.block"), run.Result("target.cache")));
        Assert.Equal(digest, run.Result("target.sha256"));
        Assert.Equal("yes", run.Result("discarded"));
        Array.Clear(content, 1 << 20, 1 << 20);
        Assert.Equal(Digest(new byte[1 << 20]), run.Result("after.discard"));
        Assert.Equal(Digest(content), _host.Check("sha256sum < /tmp/target.img").Split(' ')[0]);
        Assert.StartsWith("virtio_rng", run.Result("rng"), StringComparison.Ordinal);
        Assert.Equal("65536", run.Result("random.bytes"));
        Assert.NotEqual(run.Result("random.1"), run.Result("random.2"));
        Assert.Contains(run.Section("interrupts"), static line =>
            line.Contains("PCI-MSI", StringComparison.Ordinal) && line.EndsWith("virtio0-req.0", StringComparison.Ordinal));
        Assert.DoesNotContain("WARNING", run.Output, StringComparison.Ordinal);

        // Each request rang a doorbell. With an exit for each there would be more exits than booting and the script cause.
        Assert.InRange(int.Parse(run.Result("requests")!, CultureInfo.InvariantCulture), Requests, int.MaxValue);
        using var statistics = JsonDocument.Parse(File.ReadAllText(_host.PathOf("stats.json")));
        Assert.InRange(statistics.RootElement.GetProperty("vcpus")[0].GetProperty("mmio_exits").GetInt64(), 1, Requests);
    }

    [Theory]
    [InlineData("rm -f /tmp/bad.img", "no such file")]
    [InlineData("truncate -s 1000 /tmp/bad.img", "'truncate -s %512 /tmp/bad.img' fills it up")]
    [InlineData("truncate -s 0 /tmp/bad.img", "has no bytes")]
    public void A_file_that_is_no_disk_is_an_error_of_one_line(string prepare, string message)
    {
        _host.Check(prepare);

        var run = _host.Run($"{Repository.Program} run -s 3:0,virtio-blk,/tmp/bad.img --kernel {Repository.Kernel} none");

        Assert.Equal(4, run.Status);
        Assert.Contains(message, Assert.Single(run.Output.Trim().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_that_another_guest_writes_is_refused()
    {
        const string Disk = "/tmp/taken.img";
        const string Refusal = "is open in another guest or program";
        _host.Check($"truncate -s 1M {Disk}");
        string Run(string slots) => _host.Run($"{Repository.Program} run {slots} --kernel {Repository.Kernel} none").Output;

        Assert.Contains(Refusal, Run($"-s 3:0,virtio-blk,{Disk} -s 4:0,virtio-blk,{Disk},ro"), StringComparison.Ordinal);

        // A guest of QEMU's own: paused, but it has its disk open.
        _host.Check(
            $"qemu-system-x86_64 -M q35 -accel kvm -S -nodefaults -display none -drive file={Disk},format=raw,if=none,id=disk "
            + "-device virtio-blk-pci,drive=disk -daemonize -pidfile /tmp/taken.pid");
        Assert.Contains(Refusal, Run($"-s 3:0,virtio-blk,{Disk}"), StringComparison.Ordinal);
        _host.Check("kill $(cat /tmp/taken.pid)");
    }

    private static string Digest(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));
}
