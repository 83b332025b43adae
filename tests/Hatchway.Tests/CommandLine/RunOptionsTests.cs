using Hatchway.CommandLine;
using Hatchway.Pci.Address;

namespace Hatchway.Tests.CommandLine;

public sealed class RunOptionsTests
{
    // A file that is sure to exist.
    private static readonly string Kernel = typeof(RunOptionsTests).Assembly.Location;

    [Fact]
    public void Bhyves_own_command_line_is_understood()
    {
        var options = Parse(
            "-AHP", "-c", "2", "-m", "1G", "-s", "0:0,hostbridge", "-s", "1,lpc", "-l", "com1,stdio",
            "-s", "0:4:1,passthru,0/6/0", "-s", "4:0,passthru,0000:00:07.0", "--kernel", Kernel, "--cmdline=console=ttyS0", "guest");

        Assert.Equal(2, options.Cpus);
        Assert.Equal(1ul << 30, options.Memory.Bytes);
        Assert.Equal([new SerialPortOption(1, new StandardStreams(), "-l com1,stdio")], options.SerialPorts);
        Assert.Equal("console=ttyS0", options.CommandLine);
        Assert.Equal("guest", options.Name);
        Assert.Equivalent(
            new[]
            {
                new SlotOption(0, 0, new HostBridgeSlot()),
                new SlotOption(1, 0, new LpcSlot()),
                new SlotOption(4, 0, new PassthruSlot(new PciAddress(0, 0, 7, 0), PassthruOptions.None)),
                new SlotOption(4, 1, new PassthruSlot(new PciAddress(0, 0, 6, 0), PassthruOptions.None)),
            },
            options.Slots);
    }

    [Theory]
    [InlineData("256", 256ul << 20)]
    [InlineData("256M", 256ul << 20)]
    [InlineData("256m", 256ul << 20)]
    [InlineData("2G", 2ul << 30)]
    [InlineData("65536K", 64ul << 20)]
    [InlineData("1T", 1ul << 40)]
    [InlineData("67108864", 64ul << 20)]
    public void Memory_is_taken_in_the_units_of_bhyve(string text, ulong bytes) => Assert.Equal(bytes, MemorySize.Parse("-m", text));

    [Fact]
    public void RAM_is_on_ordinary_pages_unless_huge_ones_are_asked_for()
    {
        Assert.Equal(0ul, Parse("--kernel", Kernel, "guest").Memory.HugePageBytes);
        Assert.Equal(1ul << 30, Parse("-m", "2G", "-o", "memory.hugepages=1G", "--kernel", Kernel, "guest").Memory.HugePageBytes);
    }

    [Fact]
    public void A_guest_without_U_has_a_number_of_its_own_that_stays()
    {
        var number = Parse("--kernel", Kernel, "one").Smbios.Uuid;

        Assert.Equal(number, Parse("--kernel", Kernel, "one").Smbios.Uuid);
        Assert.NotEqual(number, Parse("--kernel", Kernel, "two").Smbios.Uuid);
        Assert.Equal(8, number.Version);
    }

    [Fact]
    public void What_SMBIOS_names_is_what_the_variables_say()
    {
        var smbios = Parse(
            "-U", "00112233-4455-6677-8899-aabbccddeeff", "-o", "system.serial_number=S-1", "-o", "chassis.asset_tag=A-1",
            "--kernel", Kernel, "guest").Smbios;

        Assert.Equal("00112233-4455-6677-8899-aabbccddeeff", smbios.Uuid.ToString());
        Assert.Equal(("S-1", "A-1", "Hatchway"), (smbios.System.SerialNumber, smbios.Chassis.AssetTag, smbios.Bios.Vendor));
    }

    [Theory]
    [InlineData("-s 4:0,passthru,ppt0", "ppt0 is a name of FreeBSD's", "passthru,0/6/0")]
    [InlineData("-s 4:0,lpc,stdio", "takes no 'stdio'", "-s 4:0,lpc,stdio")]
    [InlineData("-s 4:0,e1000,tap0", "there is no e1000", "virtio-net")]
    [InlineData("-s 4:0,ahci-hd,disk.img", "there is no ahci", "virtio-blk")]
    [InlineData("-s 4:0,fbuf,tcp=0.0.0.0:5900", "there is no fbuf", "com1")]
    [InlineData("-o pci.0.4.0.device=nonsense", "pci.0.4.0.device=nonsense: unknown emulation", "-s help")]
    [InlineData("-o pci.0.4.0.device=passthru", "which device?", "bus, slot and func")]
    [InlineData("-o pci.0.4.0.device=hostbridge -o pci.0.4.0.color=red", "unknown option 'color' of hostbridge", "it has pcireg.vendor")]
    [InlineData("-o pci.0.4.0.device=amd_hostbridge", "'amd_hostbridge' is a short form of -s", "write hostbridge")]
    [InlineData("-s 4:0,hostbridge,pcireg.vendor=10000", "a hexadecimal number up to FFFF", "'10000'")]
    [InlineData("-s 4:1,virtio-rnd", "function 1 but no function 0", "give it 4:0")]
    [InlineData("-s 4:0,virtio-net,netgraph,path=vmbridge:,peerhook=link2", "there is no 'netgraph'", "a tap")]
    [InlineData("-s 4:0,virtio-net,slirp,hostfwd=tcp:127.0.0.1:2222-:22", "there is no 'slirp'", "a tap")]
    [InlineData("-c 4,cores=2", "are 8 CPUs, and not 4", "sockets=1")]
    [InlineData("-c 4,dies=2", "'dies' is unknown", "cores=N")]
    [InlineData("-c cores=300", "is no number of cores", "255")]
    [InlineData("-p 0", "write vcpu:hostcpu", "0:2")]
    [InlineData("-p 0:1024", "no CPU of a host", "1023")]
    [InlineData("-o vcpu.0.cpuset=3-1", "names no CPUs", "0-3,5")]
    [InlineData("-U 1234", "is no UUID", "-U 1234")]
    [InlineData("-o board.location=größer", "printable ASCII", "-o board.location")]
    [InlineData("-o memory.hugepages=4M", "of 2M and of 1G", "no")]
    [InlineData("-m 65M -o memory.hugepages=2M", "no whole number of huge pages of 2 MiB", "a multiple")]
    [InlineData("-o x86.x2apic=maybe", "neither true nor false", "-o x86.x2apic=maybe")]
    [InlineData("-o memory.size", "write name=value", "-o memory.size")]
    [InlineData("-o memory.size=", "needs a value", "memory.size")]
    [InlineData("-o memory=1G", "memory can't have a value", "memory.size")]
    [InlineData("-o cpus.more=1 -c 2", "cpus can't have a value", "cpus.more")]
    [InlineData("-o a..b=1", "'a..b' is no name", "letters")]
    [InlineData("-o uuid=%(nobody)", "%(nobody) refers to a variable that has no value", "uuid")]
    [InlineData("-o uuid=%(uuid)", "without end", "itself")]
    [InlineData("-k /no/such/file", "-k /no/such/file: can't be read", "/no/such/file")]
    [InlineData("-G 1234", "there is no debug server", "-G 1234")]
    [InlineData("-r snapshot", "no snapshots", "-r snapshot")]
    [InlineData("-n 0,1G,0-1", "no NUMA domains", "-n 0,1G,0-1")]
    [InlineData("-f opt/x", "NAME,string=TEXT", "-f opt/x")]
    [InlineData("-f opt/x,number=3", "'number=3' is neither", "file=PATH")]
    [InlineData("-l tpm,passthru,/dev/tpm0", "there is no TPM", "-l tpm,passthru,/dev/tpm0")]
    [InlineData("-l com2", "to what?", "com2,stdio")]
    [InlineData("-s 1,lpc -l com2,/no/such/tty", "no such terminal", "tcp=IP:PORT")]
    [InlineData("-s 1,lpc -l com2,tcp=4000", "'4000' is no address", "[::1]:4000")]
    [InlineData("-s 1,lpc -l com2,tcp=::1:4000", "is no address", "[::1]:4000")]
    [InlineData("-s 1,lpc -l com1,stdio -l com2,stdio", "stdio is com1's already", "com2")]
    [InlineData("-l bootrom,OVMF.fd", "--kernel", "one of them")]
    [InlineData("-l fwcfg,coreboot", "'coreboot'", "qemu only")]
    [InlineData("-o pci.0.03.0.device=hostbridge", "slot 03", "without a zero before")]
    [InlineData("-o lpc.pc-testdev=on", "no debug and test device", "lpc.pc-testdev=on")]
    [InlineData("-f opt/name,string=text", "only firmware", "bootrom")]
    [InlineData("-s 4:0,nonsense", "unknown emulation 'nonsense'", "-s help")]
    [InlineData("-s 4:0", "no emulation", "-s help")]
    [InlineData("-s 4:0,passthru", "which device?", "0000:00:06.0")]
    [InlineData("-s 4:0,passthru,0/6", "'0/6' is no PCI address", "0000:00:06.0")]
    [InlineData("-s 4:0,passthru,0/32/0", "'0/32/0' is no PCI address", "0/6/0")]
    [InlineData("-s 4:0,passthru,zz:00.0", "'zz:00.0' is no PCI address", "0/6/0")]
    [InlineData("-s 4:0,passthru,0/6/0,fast", "unknown option 'fast'", "passthru")]
    [InlineData("-s 4:0,passthru,0/6/0,subpage=maybe", "subpage=maybe", "subpage=trap")]
    [InlineData("-s 4:0,passthru,0/6/0,peers=some", "peers=some", "peers=off")]
    [InlineData("-s 4:0,passthru,0/6/0,rom=/no/such/rom", "rom=/no/such/rom", "no such file")]
    [InlineData("-s 4:0,passthru,0/6/0,handler=/no/such.dll", "handler=/no/such.dll", "no such file")]
    [InlineData("-s 4:0,passthru,0/6/0,mirror=6:0:256", "mirror=6:0:256", "BAR:OFFSET:LENGTH")]
    [InlineData("-s 4:0,passthru,0/6/0,mirror=0:0:0x2000", "mirror=0:0:0x2000", "at most 4096 bytes")]
    [InlineData("-s 4:0,lpc -s 4:0,hostbridge", "slot 4:0 is given twice", "another slot")]
    [InlineData("-s 4:0,passthru,0/6/0 -s 5:0,passthru,0000:00:06.0", "0000:00:06.0 is given twice", "one slot")]
    [InlineData("-s 4:1,lpc", "no function 0", "slot 4")]
    [InlineData("-s 32:0,lpc", "slot 32", "0 to 31")]
    [InlineData("-s 4:8,lpc", "function 8", "0 to 7")]
    [InlineData("-s 1:4:0,lpc", "bus 1", "bus 0 only")]
    [InlineData("-s four,lpc", "'four' is no slot", "decimal")]
    [InlineData("-s 1:0,lpc -s 2:0,lpc", "lpc is given twice", "one")]
    [InlineData("-l com1,stdio", "needs the lpc bridge", "-s 1:0,lpc")]
    [InlineData("-l com5,stdio", "com5,stdio: unknown", "-l help")]
    [InlineData("-m 0", "-m 0: a guest without memory can't start", "32M")]
    [InlineData("-m much", "not an amount of memory", "256M")]
    [InlineData("-m 99999999999T", "not an amount of memory", "256M")]
    [InlineData("-m 1M", "at least 32M", "-m 1M")]
    [InlineData("-c 0", "number of CPUs", "1 to")]
    [InlineData("-c 256", "number of CPUs", "255")]
    [InlineData("-c", "needs an argument", "CPUS")]
    [InlineData("-z", "unknown option '-z'", "--help")]
    [InlineData("--speed", "unknown option '--speed'", "--help")]
    [InlineData("--verbose=yes", "takes no argument", "yes")]
    [InlineData("--initrd /no/such/file", "/no/such/file: no such file", "--initrd")]
    [InlineData("--initrd /", "is a directory", "--initrd")]
    public void A_mistake_is_told_in_one_line_with_the_value_and_what_to_do(string words, string says, string alsoSays)
    {
        var complete = words is "-c" ? words.Split(' ') : [.. words.Split(' '), "--kernel", Kernel, "guest"];

        var mistake = Assert.Throws<UserException>(() => Parse(complete));

        Assert.Contains(says, mistake.Message, StringComparison.Ordinal);
        Assert.Contains(alsoSays, mistake.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', mistake.Message);
    }

    [Fact]
    public void What_bhyve_dumps_and_changes_nothing_here_is_taken_and_told_to_who_asks()
    {
        var options = Parse("-o", "lpc.fwcfg=bhyve", "-o", "lpc.pc-testdev=no", "--kernel", Kernel, "guest");

        var note = Assert.Single(options.Notes, static note => note.Contains("fwcfg", StringComparison.Ordinal));
        Assert.Contains("lpc.fwcfg=bhyve: without effect", note, StringComparison.Ordinal);
    }

    [Fact]
    public void What_firmware_makes_of_a_device_without_asking_is_told_to_who_asks()
    {
        string[] words = ["-s", "0,amd_hostbridge", "-s", "1,lpc", "-s", "3,passthru,6/0/0,bootindex=1"];

        Assert.Contains(
            Parse([.. words, "-l", $"bootrom,{Kernel},VARS.fd", "guest"]).Notes,
            static note => note.StartsWith("-s 0,amd_hostbridge: without effect, with firmware", StringComparison.Ordinal));
        var note = Assert.Single(Parse([.. words, "--kernel", Kernel, "guest"]).Notes);
        Assert.StartsWith("-s 3,passthru,6/0/0,bootindex=1: without effect", note, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pci.3=1")]
    [InlineData("pci.0.3.device=lpc")]
    [InlineData("pci.0.3.0=lpc")]
    public void A_name_below_pci_that_is_of_no_slots_device_is_told_to_be_unknown(string setting)
    {
        var options = Parse("-o", setting, "--kernel", Kernel, "guest");

        Assert.Contains($"unknown variable {setting.Split('=')[0]}", Assert.Single(options.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void The_guests_name_is_needed_and_nothing_may_follow_the_name()
    {
        Assert.Contains("no name", Assert.Throws<UserException>(() => Parse("--kernel", Kernel)).Message, StringComparison.Ordinal);
        Assert.Contains(
            "options come before the name",
            Assert.Throws<UserException>(() => Parse("--kernel", Kernel, "guest", "-c", "2")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_kernel_the_guest_starts_by_firmware()
    {
        var installed = Parse("-s", "0,hostbridge", "-s", "31,lpc", "-f", "name=opt/a,string=b,c", "guest").Firmware!;
        Assert.Null(installed.Code);
        Assert.Equal(("opt/a", "b,c"), (Assert.Single(installed.Items).Name, installed.Items[0].Text));

        var given = Parse("-s", "0,hostbridge", "-s", "1,lpc", "-l", $"bootrom,{Kernel},VARS.fd", "guest").Firmware!;
        Assert.Equal((Kernel, "VARS.fd"), (given.Code, given.Variables));
    }

    [Theory]
    [InlineData("-s 1:0,lpc", "-s 0:0,hostbridge")]
    [InlineData("-s 0:0,hostbridge", "-s 1:0,lpc")]
    [InlineData("-s 0:0,hostbridge -s 31:0,lpc -s 1:0,passthru,0/6/0", "slot 1:0")]
    [InlineData("-s 0:0,hostbridge -s 1:0,lpc -s 1:3,passthru,0/6/0", "slot 1:3")]
    [InlineData("-s 0:0,hostbridge -s 1:0,lpc --cmdline quiet", "--kernel FILE")]
    [InlineData("-s 0:0,hostbridge -s 1:0,lpc -l bootrom,/no/such.fd", "/no/such.fd: no such file")]
    public void Firmware_makes_demands(string words, string says) =>
        Assert.Contains(says, Assert.Throws<UserException>(() => Parse([.. words.Split(' '), "guest"])).Message, StringComparison.Ordinal);

    private static RunOptions Parse(params string[] words) => RunOptions.From(Flags.ToTree(Getopt.Parse("run", words, Flags.Known)));
}
