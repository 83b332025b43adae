using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;

namespace Hatchway.Lab.Tests;

/// <summary>A whole Debian from its own disk, with the command line that bhyve's users know.</summary>
public sealed class DebianTests : IDisposable
{
    private const string Before = "-AI -H -P -s 0:0,hostbridge -s 1:0,lpc -s 3:0,virtio-blk,";
    private const string After = " -s 4:0,passthru,0/6/0 -l com1,stdio -c 2 -m 2048M linuxguest";
    private const string Prompt = ":~# ";

    // Firmware, GRUB and systemd, all of it twice emulated: two minutes where nothing else runs, more where much does.
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(10);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-debian-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Debian_boots_by_firmware_to_a_login_with_its_devices_and_what_it_synced_outlives_the_death_of_its_VM()
    {
        var disk = Path.Combine(_folder.FullName, "linux.img");
        Repository.MakeDebianDisk(disk);
        var word = Guid.NewGuid().ToString();
        var guest = $"{Repository.Program} run {Before}{disk}{After}";
        // When the test closes its end, the VM is killed.
        var commands = $"mkfifo /tmp/keys; {guest} < /tmp/keys & cat > /tmp/keys; kill -KILL $!; wait $!; echo STATUS=$?";
        using (var host = new Conversation(
            Path.Combine(Repository.Root, "lab/run"), "-d", "nvme", "--bind", "all", "--writable", _folder.FullName, "--", "sh", "-c", commands))
        {
            host.Expect("hatchway login: ", s_bound);
            host.Send("root\n");
            host.Expect(Prompt, s_bound);
            host.Send("echo cpus: $(nproc), memory: $(($(grep -oE -m 1 '[0-9]+' /proc/meminfo) >> 10 >= 1900)), state: $(systemctl is-system-running --wait)\n");
            host.Expect("cpus: 2, memory: 1, state: running", s_bound);
            host.Send("echo disk: $(sha256sum /dev/nvme0n1)\n");
            var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Repository.Disk)));
            host.Expect($"disk: {digest}", s_bound);
            host.Send($"echo {word} > /root/kept && sync && echo synced: $?\n");
            host.Expect("synced: 0", s_bound);
            host.CloseInput();
            host.Expect("STATUS=137", s_bound);
        }
        // What its next boot would do, without the boot: the journal is played back, and then the file is read.
        var root = $"{disk}?offset={StartOfSecondPartition(disk)}";
        Ask("e2fsck", "-p", root);
        Assert.Equal(word, Ask("debugfs", "-R", "cat /root/kept", root).Trim());
    }

    // By the master boot record's second entry, in sectors (UEFI 2.10 §5.2.1).
    private static long StartOfSecondPartition(string disk)
    {
        Span<byte> start = stackalloc byte[sizeof(uint)];
        using var file = File.OpenRead(disk);
        file.Position = 446 + 16 + 8;
        file.ReadExactly(start);
        return 512L * BinaryPrimitives.ReadUInt32LittleEndian(start);
    }

    private static string Ask(string program, params string[] arguments)
    {
        // They live where a user's PATH may not look.
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/env", [$"PATH={Environment.GetEnvironmentVariable("PATH")}:/usr/sbin:/sbin", program, .. arguments])
        {
            RedirectStandardOutput = true,
        })!;
        var answer = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        // e2fsck(8): 1 is what it says when it mended something, as a journal that was not played back.
        Assert.True(process.ExitCode <= 1, $"{program}: status {process.ExitCode}\n{answer}");
        return answer;
    }
}
