namespace Hatchway.Lab.Tests;

/// <summary>A guest that finds its system itself: OVMF, a boot loader and Linux, from a disk that is passed through.</summary>
public sealed class FirmwareTests : IDisposable
{
    // Firmware and GRUB poll, and are emulated twice: a minute on an idle machine, five on a busy one.
    private static readonly TimeSpan s_bound = TimeSpan.FromMinutes(10);

    private const string Uuid = "00112233-4455-6677-8899-aabbccddeeff";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-efi-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_system_starts_from_its_own_disk_and_what_it_keeps_in_EFI_variables_lasts()
    {
        var initrd = MakeInitrd();
        using var host = new LabHost(
            "-d", $"nvme,file={MakeDisk("grub", initrd)}", "-d", $"nvme,file={MakeDisk("systemd-boot", initrd)}", "--bind", "all");

        // Neither kernel nor firmware is named, so the installed firmware is used, with the guest's own variables.
        var command = $"{Repository.Program} run {Guests.Bridges} -m 512M -f opt/org.example/word,string=hello";
        var first = host.Run($"{command} -c 1 -U {Uuid} -o system.serial_number=LAB-1 -s 4:0,passthru,0/6/0 efiguest", s_bound);

        Assert.True(first.Status == 1, first.Output);
        Assert.Equal("yes", first.Result("efi"));
        Assert.Equal("none", first.Result("variable"));
        // Extended config space, which i440FX firmware does not know of.
        Assert.Equal("4096", first.Result("config"));
        Assert.Equal("hello", first.Result("fw_cfg"));
        Assert.Equal($"{Uuid} LAB-1 Hatchway", first.Result("smbios"));
        Assert.Equal("0", first.Result("read"));
        Assert.DoesNotContain(first.Section("kernel warnings"), static line =>
            line.Contains("ACPI", StringComparison.OrdinalIgnoreCase) || line.Contains("PCI", StringComparison.OrdinalIgnoreCase));

        var second = host.Run($"{command} -c 2 -s 4:0,passthru,0/6/0 efiguest", s_bound);

        Assert.True(second.Status == 1, second.Output);
        Assert.Equal("2", second.Result("cpus"));
        Assert.Equal("kept", second.Result("variable"));

        // A second guest with its own variables: the first guest's know only the other disk, and put the shell before this one.
        var other = host.Run($"{command} -c 1 -s 4:0,passthru,0/7/0 otherguest", s_bound);

        Assert.True(other.Status == 1, other.Output);
        Assert.Equal("yes", other.Result("efi"));
        Assert.Equal("", host.Check("ls /var/lib/hatchway/efiguest").Replace("VARS.fd", "", StringComparison.Ordinal));
        Guests.AssertNothingLeft(host);
    }

    [Fact]
    public void EFIs_own_way_to_switch_off_does()
    {
        var disk = Path.Combine(_folder.FullName, "script");
        Repository.MakeEfiScript("reset -s\r\n", disk);
        using var host = new LabHost("-d", $"nvme,file={disk}", "--bind", "all");

        var run = host.Run($"{Repository.Program} run {Guests.Bridges} -m 512M -c 1 -s 4:0,passthru,0/6/0 efiguest", s_bound);

        Assert.True(run.Status == 1, run.Output);
        Assert.Contains("reset -s", run.Output, StringComparison.Ordinal);
    }

    private string MakeDisk(string loader, string initrd)
    {
        var disk = Path.Combine(_folder.FullName, loader);
        Repository.MakeEfiDisk(loader, initrd, disk);
        return disk;
    }

    private string MakeInitrd()
    {
        var initrd = Path.Combine(_folder.FullName, "initrd");
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
            echo "RESULT cpus=$(nproc)"
            cd /sys/class/dmi/id
            echo "RESULT smbios=$(cat product_uuid product_serial board_vendor | tr '\n' ' ' | sed 's/ $//')"
            dd if=/dev/nvme0n1 of=/dev/null bs=1M count=8 iflag=direct 2> /dev/null
            echo "RESULT read=$?"
            echo "BEGIN kernel warnings"
            dmesg -r | grep -E '^<[0-4]>'
            echo "END kernel warnings"
            """,
            initrd);
        return initrd;
    }
}
