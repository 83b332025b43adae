using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace Hatchway.Lab.Tests;

/// <summary>A whole Debian on a disk of its own: as a guest, with the command line that bhyve's users know, and as a host.</summary>
public sealed class DebianTests : IDisposable
{
    private const string Before = "-AI -H -P -s 0:0,hostbridge -s 1:0,lpc -s 2:0,virtio-net,tap0 -s 3:0,virtio-blk,";
    private const string After = " -s 4:0,passthru,0/6/0 -l com1,stdio -c 2 -m 2048M linuxguest";
    private const string Prompt = ":~# ";

    // Firmware, GRUB and systemd are all emulated twice: minutes on an idle machine, more on a busy one.
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(12);

    // Seconds of verified random writes: short by default, for the other tests' sake, and longer when asked for.
    private static readonly int s_writing =
        int.Parse(Environment.GetEnvironmentVariable("HATCHWAY_FIO_SECONDS") ?? "30", CultureInfo.InvariantCulture);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-debian-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Debian_boots_by_firmware_to_a_login_with_its_devices_and_what_it_synced_outlives_the_death_of_its_VM()
    {
        var disk = MakeDisk();
        var word = Guid.NewGuid().ToString();
        var guest = $"{Repository.Program} run {Before}{disk}{After}";
        // When the test closes its end, the guest is killed.
        var commands = "ip tuntap add dev tap0 mode tap; ip addr add 10.0.100.1/24 dev tap0; ip link set tap0 up; "
            + $"mkfifo /tmp/keys; {guest} < /tmp/keys & cat > /tmp/keys; kill -KILL $!; wait $!; echo STATUS=$?";
        using (var host = new Conversation(
            Path.Combine(Repository.Root, "lab/run"), "-d", "nvme", "--bind", "all", "--writable", _folder.FullName,
            "--", "sh", "-c", commands))
        {
            LogIn(host);
            host.Send("echo cpus: $(nproc), memory: $(($(grep -oE -m 1 '[0-9]+' /proc/meminfo) >> 10 >= 1900)), "
                + "state: $(systemctl is-system-running --wait)\n");
            host.Expect("cpus: 2, memory: 1, state: running", s_bound);
            host.Send("echo disk: $(sha256sum /dev/nvme0n1)\n");
            var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Repository.Disk)));
            host.Expect($"disk: {digest}", s_bound);
            host.Send("ping -c 3 -W 20 10.0.100.1\n");
            host.Expect("3 packets transmitted, 3 received", s_bound);
            host.Send("fio --name=kept --filename=/root/fio --size=32M --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=16 "
                + $"--verify=crc32c --verify_backlog=1024 --time_based --runtime={s_writing}; echo fio: $?\n");
            host.Expect("err= 0", s_bound + TimeSpan.FromSeconds(s_writing));
            host.Expect("fio: 0", s_bound);
            host.Send($"echo {word} > /root/kept && sync && echo synced: $?\n");
            host.Expect("synced: 0", s_bound);
            host.CloseInput();
            host.Expect("STATUS=137", s_bound);
        }
        // Does what the next boot would do, without booting: e2fsck replays the journal, and then the file is read.
        var root = TakeSecondPartition(disk);
        Ask("e2fsck", "-p", root);
        Assert.Equal(word, Ask("debugfs", "-R", "cat /root/kept", root).Trim());
    }

    [Fact]
    public void A_host_with_systemd_takes_its_devices_before_drivers_do_at_each_boot_from_its_disk_and_from_its_initramfs()
    {
        Repository.MakePackage(_folder.FullName);
        using var host = new Conversation(Path.Combine(Repository.Root, "lab/system"), MakeDisk(), _folder.FullName);
        LogIn(host);
        Run(host, "mount -t 9p -o trans=virtio,ro folder /mnt && dpkg -i /mnt/*.deb && umount /mnt", "Setting up hatchway");
        Run(host, "hatchway host reserve --persist 0/6/0", "0000:00:06.0 is reserved, taken from nvme");

        // The disk's driver is loaded from the file system: the unit runs before udev loads it.
        Boot(host);
        Run(host, "systemctl is-system-running --wait", "running");
        Run(host, "basename $(readlink /sys/bus/pci/devices/0000:00:06.0/driver)", "vfio-pci");
        Run(host, "journalctl --no-pager -b -o cat -u hatchway-reserve", "0000:00:06.0 is reserved\n");
        Run(host, "echo seen: $(dmesg | grep -c 'nvme nvme0')", "seen: 0");

        // A device that is found again while its driver is loaded is taken from that driver.
        const string Taken = "[ $(basename $(readlink /sys/bus/pci/devices/0000:00:06.0/driver)) = vfio-pci ]";
        Run(host, "hatchway host release 0/6/0", "0000:00:06.0 is released");
        Run(host, "modprobe nvme; echo 1 > /sys/bus/pci/devices/0000:00:06.0/remove; echo 1 > /sys/bus/pci/rescan; "
            + $"timeout 120 sh -c 'until {Taken} 2> /dev/null; do :; done' && echo taken", "taken");
        Run(host, "echo seen: $(dmesg | grep -c 'nvme nvme0: pci function')", "seen: 2");

        // The initramfs loads the disk's driver before any unit runs. Its contents are configured first, so that it is
        // made once.
        Run(host, "mkdir -p /etc/initramfs-tools/conf.d /usr/share/initramfs-tools/modules.d; "
            + "echo MODULES=list > /etc/initramfs-tools/conf.d/list; "
            + "printf '%s\\n' nvme virtio_pci virtio_blk ext4 > /usr/share/initramfs-tools/modules.d/test; "
            + "dpkg -r --force-depends tiny-initramfs; dpkg -i later/*.deb && lsinitramfs /initrd.img", "nvme.ko");
        Boot(host);
        Run(host, "basename $(readlink /sys/bus/pci/devices/0000:00:06.0/driver)", "vfio-pci");
        Run(host, "journalctl --no-pager -b -o cat -u hatchway-reserve", "0000:00:06.0 is reserved already");
        Run(host, "echo seen: $(dmesg | grep -c 'nvme nvme0')", "seen: 0");

        Run(host, "hatchway host release --persist 0/6/0", "0000:00:06.0 is released, nvme has it");
        host.Send("systemctl poweroff\n");
        host.Expect("Power down", s_bound);
    }

    private string MakeDisk()
    {
        var disk = Path.Combine(_folder.FullName, "linux.img");
        Repository.MakeDebianDisk(disk);
        return disk;
    }

    private static void LogIn(Conversation system)
    {
        system.Expect("hatchway login: ", s_bound);
        system.Send("root\n");
        system.Expect(Prompt, s_bound);
    }

    private static void Boot(Conversation system)
    {
        system.Send("systemctl reboot\n");
        LogIn(system);
    }

    // Runs a command that succeeds and prints the expected text.
    private static void Run(Conversation system, string command, string expected)
    {
        system.Send($"{command}; echo STATUS''=$?\n");
        var said = system.Expect("STATUS=", s_bound);
        Assert.Contains(expected, said.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.StartsWith("0", system.Expect(Prompt, s_bound), StringComparison.Ordinal);
    }

    // Copies the partition of the master boot record's second entry (UEFI 2.10 §5.2.1) to a file beside the image.
    private static string TakeSecondPartition(string disk)
    {
        Span<byte> start = stackalloc byte[sizeof(uint)];
        using var image = File.OpenRead(disk);
        image.Position = 446 + 16 + 8;
        image.ReadExactly(start);
        image.Position = 512L * BinaryPrimitives.ReadUInt32LittleEndian(start);
        var path = Path.ChangeExtension(disk, "root");
        using var partition = File.Create(path);
        image.CopyTo(partition);
        return path;
    }

    private static string Ask(string program, params string[] arguments)
    {
        // These programs are in folders that a user's PATH may lack.
        var path = $"PATH={Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin";
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/env", [path, program, .. arguments])
        {
            RedirectStandardOutput = true,
        })!;
        var answer = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        // e2fsck(8): status 1 means that it corrected something, such as a journal that was not replayed.
        Assert.True(process.ExitCode <= 1, $"{program}: status {process.ExitCode}\n{answer}");
        return answer;
    }
}
