using Hatchway.CommandLine;
using Hatchway.Configuration;

namespace Hatchway.Tests.CommandLine;

public sealed class FlagsTests
{
    [Theory]
    [InlineData("-A", "acpi_tables=true")]
    [InlineData("-a", "x86.x2apic=false")]
    [InlineData("-C", "memory.guest_in_core=true")]
    [InlineData("-c 2", "cpus=2")]
    [InlineData("-c cpus=8,sockets=2,cores=2,threads=2", "cpus=8|sockets=2|cores=2|threads=2")]
    [InlineData("-c 4,sockets=1,cores=4", "cpus=4|sockets=1|cores=4")]
    [InlineData("-D", "destroy_on_poweroff=true")]
    [InlineData("-e", "x86.strictio=true")]
    [InlineData("-f opt/org.x/greeting,string=Hello", "fwcfg.0.name=opt/org.x/greeting|fwcfg.0.string=Hello")]
    [InlineData("-f name=opt/a,file=a,b=c -f opt/b,string=2", "fwcfg.0.name=opt/a|fwcfg.0.file=a,b=c|fwcfg.1.name=opt/b|fwcfg.1.string=2")]
    [InlineData("-G w[::1]:1234", "gdb.wait=true|gdb.address=[::1]|gdb.port=1234")]
    [InlineData("-G 1234", "gdb.port=1234")]
    [InlineData("-H", "x86.vmexit_on_hlt=true")]
    [InlineData("-I", "")]
    [InlineData("-K de", "keyboard.layout=de")]
    [InlineData("-l com1,stdio", "lpc.com1.path=stdio")]
    [InlineData("-l COM4,tcp=127.0.0.1:4000", "lpc.com4.path=tcp=127.0.0.1:4000")]
    [InlineData("-l com2,/dev/ttyS1", "lpc.com2.path=/dev/ttyS1")]
    [InlineData("-l bootrom,CODE.fd", "lpc.bootrom=CODE.fd")]
    [InlineData("-l bootrom,CODE.fd,VARS.fd", "lpc.bootrom=CODE.fd|lpc.bootvars=VARS.fd")]
    [InlineData("-l bootrom,CODE.fd,fwcfg=qemu", "lpc.bootrom=CODE.fd|lpc.fwcfg=qemu")]
    [InlineData("-l fwcfg,qemu", "lpc.fwcfg=qemu")]
    [InlineData("-l tpm,swtpm,/run/tpm", "tpm.type=swtpm|tpm.path=/run/tpm")]
    [InlineData("-l pc-testdev", "lpc.pc-testdev=true")]
    [InlineData("-m 2G", "memory.size=2G")]
    [InlineData("-o a.b=c=d", "a.b=c=d")]
    [InlineData("-P", "x86.vmexit_on_pause=true")]
    [InlineData("-p 0:12 -p 1:13 -p 0:14", "vcpu.0.cpuset=12,14|vcpu.1.cpuset=13")]
    [InlineData("-S", "memory.wired=true")]
    [InlineData("-U 01234567-89ab-cdef-0123-456789abcdef", "uuid=01234567-89ab-cdef-0123-456789abcdef")]
    [InlineData("-u", "rtc.use_localtime=false")]
    [InlineData("-W", "virtio_msix=false")]
    [InlineData("-w", "x86.strictmsr=false")]
    [InlineData("-x", "x86.x2apic=true")]
    [InlineData("-x -a", "x86.x2apic=false")]
    [InlineData("-Y", "x86.mptable=false")]
    [InlineData("--kernel 50%/vmlinuz", "hatchway.kernel=50%%/vmlinuz")]
    [InlineData(
        "--initrd i --cmdline c --stats s --verbose",
        "hatchway.initrd=i|hatchway.cmdline=c|hatchway.stats=s|hatchway.verbose=true")]
    [InlineData("-s 0:0,hostbridge", "pci.0.0.0.device=hostbridge")]
    [InlineData(
        "-s 0,hostbridge,vendor=0x8086,devid=0x1237",
        "pci.0.0.0.device=hostbridge|pci.0.0.0.vendor=0x8086|pci.0.0.0.devid=0x1237")]
    [InlineData("-s 0,amd_hostbridge", "pci.0.0.0.device=hostbridge|pci.0.0.0.pcireg.vendor=0x1022|pci.0.0.0.pcireg.device=0x7432")]
    [InlineData("-s 31,lpc", "pci.0.31.0.device=lpc")]
    [InlineData("-s 4:0,passthru,0/29/1", "pci.0.4.0.device=passthru|pci.0.4.0.bus=0|pci.0.4.0.slot=29|pci.0.4.0.func=1")]
    [InlineData(
        "-s 4,passthru,pci3:0:1,rom=r",
        "pci.0.4.0.device=passthru|pci.0.4.0.bus=3|pci.0.4.0.slot=0|pci.0.4.0.func=1|pci.0.4.0.rom=r")]
    [InlineData("-s 4,passthru,pci0:3:0:1", "pci.0.4.0.device=passthru|pci.0.4.0.bus=3|pci.0.4.0.slot=0|pci.0.4.0.func=1")]
    [InlineData("-s 4,passthru,ppt0", "pci.0.4.0.device=passthru|pci.0.4.0.pptdev=ppt0")]
    [InlineData(
        "-s 4,passthru,0001:0a:06.0,handler=a,handler=b,mirror=0:0:16",
        "pci.0.4.0.device=passthru|pci.0.4.0.domain=1|pci.0.4.0.bus=10|pci.0.4.0.slot=6|pci.0.4.0.func=0"
        + "|pci.0.4.0.handler.0=a|pci.0.4.0.handler.1=b|pci.0.4.0.mirror.0=0:0:16")]
    [InlineData("-s 2:0,virtio-net,tap0", "pci.0.2.0.device=virtio-net|pci.0.2.0.backend=tap0")]
    [InlineData(
        "-s 2:1,virtio-net,tap0,mac=00:be:fa:76:45:00",
        "pci.0.2.1.device=virtio-net|pci.0.2.1.backend=tap0|pci.0.2.1.mac=00:be:fa:76:45:00")]
    [InlineData("-s 2,virtio-net,type=tap,backend=mytap", "pci.0.2.0.device=virtio-net|pci.0.2.0.type=tap|pci.0.2.0.backend=mytap")]
    [InlineData("-s 3:0,virtio-blk,./linux.img", "pci.0.3.0.device=virtio-blk|pci.0.3.0.path=./linux.img")]
    [InlineData(
        "-s 3,virtio-blk,d,ro,nocache,sectorsize=512/4096",
        "pci.0.3.0.device=virtio-blk|pci.0.3.0.path=d|pci.0.3.0.ro=true|pci.0.3.0.nocache=true|pci.0.3.0.sectorsize=512/4096")]
    [InlineData("-s 5,virtio-rnd", "pci.0.5.0.device=virtio-rnd")]
    [InlineData(
        "-s 5,virtio-console,a=/run/a,b=/run/b",
        "pci.0.5.0.device=virtio-console|pci.0.5.0.port.0.name=a|pci.0.5.0.port.0.path=/run/a"
        + "|pci.0.5.0.port.1.name=b|pci.0.5.0.port.1.path=/run/b")]
    [InlineData(
        "-s 5,virtio-console,ring=packed,a=/run/a",
        "pci.0.5.0.device=virtio-console|pci.0.5.0.ring=packed|pci.0.5.0.port.0.name=a|pci.0.5.0.port.0.path=/run/a")]
    [InlineData("-s 5,ahci-hd,d", "pci.0.5.0.device=ahci|pci.0.5.0.port.0.type=hd|pci.0.5.0.port.0.path=d")]
    [InlineData(
        "-s 5,ahci,hd:d,nmrr=1,cd:c",
        "pci.0.5.0.device=ahci|pci.0.5.0.port.0.type=hd|pci.0.5.0.port.0.path=d|pci.0.5.0.port.0.nmrr=1"
        + "|pci.0.5.0.port.1.type=cd|pci.0.5.0.port.1.path=c")]
    [InlineData("-s 5,nvme,ram=16", "pci.0.5.0.device=nvme|pci.0.5.0.ram=16")]
    [InlineData("-s 5,xhci,tablet", "pci.0.5.0.device=xhci|pci.0.5.0.slot.1.device=tablet")]
    [InlineData("-s 5,virtio-9p,share=/x,ro", "pci.0.5.0.device=virtio-9p|pci.0.5.0.sharename=share|pci.0.5.0.path=/x|pci.0.5.0.ro=true")]
    public void A_flag_writes_the_variables_that_bhyves_does(string words, string variables)
    {
        var tree = ToTree([.. words.Split(' '), "guest"]);
        var defaults = ConfigurationTree.WithDefaults();
        // Settings that the flag wrote have an origin.
        var written = tree.All.Where(static setting => setting.Origin is not null && setting.Name != "name")
            .Select(static setting => $"{setting.Name}={setting.Value}");
        Assert.Equal(
            variables.Split('|', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal),
            written.Order(StringComparer.Ordinal));
        Assert.All(defaults.All, setting => Assert.NotNull(tree.Find(setting.Name)));
    }

    [Fact]
    public void The_line_that_the_project_grew_from_is_understood_word_for_word()
    {
        const string Line = "-AI -H -P -s 0:0,hostbridge -s 1:0,lpc -s 2:0,virtio-net,tap0 -s 3:0,virtio-blk,./linux.img "
            + "-s 4:0,passthru,0/29/0 -l com1,stdio -c 2 -m 2048M linuxguest";
        Assert.Equal(
            """
            acpi_tables=true
            cpus=2
            lpc.com1.path=stdio
            memory.size=2048M
            name=linuxguest
            pci.0.0.0.device=hostbridge
            pci.0.1.0.device=lpc
            pci.0.2.0.backend=tap0
            pci.0.2.0.device=virtio-net
            pci.0.3.0.device=virtio-blk
            pci.0.3.0.path=./linux.img
            pci.0.4.0.bus=0
            pci.0.4.0.device=passthru
            pci.0.4.0.func=0
            pci.0.4.0.slot=29
            x86.strictmsr=true
            x86.vmexit_on_hlt=true
            x86.vmexit_on_pause=true

            """,
            ToTree(Line.Split(' ')).Dump());
    }

    [Fact]
    public void A_slot_can_be_given_once_only() => Assert.Contains(
        "slot 4:0 is given twice",
        Assert.Throws<UserException>(() => ToTree("-s", "4,lpc", "-s", "4:0,hostbridge", "guest")).Message,
        StringComparison.Ordinal);

    [Fact]
    public void The_guests_name_may_come_from_a_variable() => Assert.Equal("other", ToTree("-o", "name=other").Text("name"));

    [Fact]
    public void Help_has_every_option_and_every_device()
    {
        Assert.All(Flags.Known, static option => Assert.Contains($"{option.Display} ", Help.Run, StringComparison.Ordinal));
        Assert.All(Emulation.All, static emulation => Assert.Contains($"{emulation.Name} ", SlotFlag.Help, StringComparison.Ordinal));
    }

    internal static ConfigurationTree ToTree(params string[] words) => Flags.ToTree(Getopt.Parse("run", words, Flags.Known));
}
