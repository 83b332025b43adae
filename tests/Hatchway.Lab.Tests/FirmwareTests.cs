namespace Hatchway.Lab.Tests;

/// <summary>A guest that finds its system by itself: OVMF, GRUB and Linux, from a disk that is passed through.</summary>
public sealed class FirmwareTests : IDisposable
{
    // Firmware and GRUB poll, all of it twice emulated: a minute where nothing else runs, five where much does.
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(10);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-efi-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_system_starts_from_its_own_disk_and_what_it_keeps_in_EFI_variables_lasts()
    {
        using var host = new LabHost("-d", $"nvme,file={MakeDisk()}", "--bind", "all");

        // Nothing says what to start from: the installed firmware is taken, and its variables are the guest's own.
        var command = $"{Repository.Program} run {Guests.Bridges} -c 1 -m 512M -f opt/org.example/word,string=hello -s 4:0,passthru,0/6/0 efiguest";
        var first = host.Run(command, s_bound);

        Assert.True(first.Status == 1, first.Output);
        Assert.Equal("yes", first.Result("efi"));
        Assert.Equal("none", first.Result("variable"));
        // Extended config space, which an i440FX's firmware knows nothing of.
        Assert.Equal("4096", first.Result("config"));
        Assert.Equal("hello", first.Result("fw_cfg"));
        Assert.Equal("0", first.Result("read"));
        Assert.DoesNotContain(first.Section("kernel warnings"), static line =>
            line.Contains("ACPI", StringComparison.OrdinalIgnoreCase) || line.Contains("PCI", StringComparison.OrdinalIgnoreCase));

        var second = host.Run(command, s_bound);

        Assert.True(second.Status == 1, second.Output);
        Assert.Equal("kept", second.Result("variable"));
        Assert.Equal("", host.Check("ls /var/lib/hatchway/efiguest").Replace("VARS.fd", "", StringComparison.Ordinal));
        Guests.AssertNothingLeft(host);
    }

    private string MakeDisk()
    {
        var initrd = Path.Combine(_folder.FullName, "initrd");
        var disk = Path.Combine(_folder.FullName, "disk");
        Repository.MakeInitrd(
            """
            # The kernel's own messages would come between the lines.
            dmesg -n 1
            [ -d /sys/firmware/efi ] && echo "RESULT efi=yes"
            modprobe efivarfs
            mount -t efivarfs efivarfs /sys/firmware/efi/efivars
            variable=/sys/firmware/efi/efivars/Hatchway-5a5a5a5a-1234-4321-abcd-0123456789ab
            # Four bytes of attributes come first: non-volatile, and for the boot's and the system's time.
            if [ -e $variable ]; then
                echo "RESULT variable=$(tail -c +5 $variable)"
            else
                echo "RESULT variable=none"
                printf '\007\000\000\000kept' > $variable
            fi
            echo "RESULT config=$(wc -c < /sys/bus/pci/devices/0000:00:04.0/config)"
            echo "RESULT fw_cfg=$(cat /sys/firmware/qemu_fw_cfg/by_name/opt/org.example/word/raw)"
            dd if=/dev/nvme0n1 of=/dev/null bs=1M count=8 iflag=direct 2> /dev/null
            echo "RESULT read=$?"
            echo "BEGIN kernel warnings"
            dmesg -r | grep -E '^<[0-4]>'
            echo "END kernel warnings"
            """,
            initrd);
        Repository.MakeEfiDisk(initrd, disk);
        return disk;
    }
}
