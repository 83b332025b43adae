using System.Globalization;

namespace Hatchway.Lab.Tests;

/// <summary>A host that gives away a device of every kind that QEMU has, and the output of one Linux guest that used them all.</summary>
public sealed class DeviceMatrix : IDisposable
{
    private static readonly TimeSpan BootBound = TimeSpan.FromMinutes(12);

    // Each -d of lab/run, as the host's function and its slot in the guest.
    private static readonly (string Host, string Guest)[] Functions =
    [
        ("0/6/0", "2:0"), ("0/7/0", "3:0"), ("0/8/0", "4:0"), ("0/9/0", "5:0"), ("0/10/0", "6:0"), ("0/11/0", "7:0"), ("0/12/0", "8:0"),
        ("0/13/0", "9:0"), ("0/14/0", "10:0"), ("0/14/1", "10:1"), ("0/14/2", "10:2"), ("0/14/7", "10:7"), ("0/16/0", "11:0"),
        ("0/17/0", "12:0"), ("0/18/0", "13:0"), ("1/0/0", "14:0"), ("3/1/0", "15:0"), ("4/0/1", "16:0"),
    ];

    /// <summary>Boots host and guest.</summary>
    public DeviceMatrix()
    {
        Sound = Path.GetTempFileName();
        Host = new LabHost(
            "-d", "nvme,seed=1", "-d", "e1000e", "-d", "rtl8139",
            "-d", "lsi53c895a,id=scsi0", "-d", "scsi-hd,bus=scsi0.0,size=4M,seed=2",
            "-d", "edu", "-d", "pci-testdev", "-d", "ivshmem-plain",
            "-d", "qemu-xhci,id=xhci", "-d", "usb-storage,bus=xhci.0,size=4M,seed=3",
            "-d", "ich9-usb-ehci1,id=ehci,addr=0e.7,multifunction=on",
            "-d", "ich9-usb-uhci1,masterbus=ehci.0,firstport=0,addr=0e.0,multifunction=on",
            "-d", "ich9-usb-uhci2,masterbus=ehci.0,firstport=2,addr=0e.1,multifunction=on",
            "-d", "ich9-usb-uhci3,masterbus=ehci.0,firstport=4,addr=0e.2,multifunction=on",
            "-d", "usb-storage,bus=ehci.0,port=1,size=4M,seed=4",
            // At full speed: the high-speed controller hands the device to its companion, which has ports 3 and 4.
            "-d", "usb-tablet,bus=ehci.0,port=3,usb_version=1",
            "-d", $"AC97,addr=10,wav={Sound}",
            "-d", "sdhci-pci,addr=11", "-d", "sd-card,size=4M,seed=5",
            "-d", "pcnet,addr=12",
            "-d", "pcie-root-port,id=rp1,chassis=1,addr=13", "-d", "e1000,bus=rp1",
            "-d", "pcie-root-port,id=rp2,chassis=2,addr=14", "-d", "pcie-pci-bridge,id=pci1,bus=rp2", "-d", "ne2k_pci,bus=pci1,addr=1",
            "-d", "pcie-root-port,id=rp3,chassis=3,addr=15", "-d", "nvme-subsys,id=subsys0",
            "-d", "nvme,bus=rp3,id=pf,size=0,subsys=subsys0,sriov_max_vfs=2,sriov_vq_flexible=4,sriov_vi_flexible=2,"
            + "max_ioqpairs=6,msix_qsize=8",
            "-d", "nvme-ns,bus=pf,seed=6",
            "--bind", "all");
        MakeVirtualFunction();
        var initrd = Host.PathOf("matrix.cpio");
        Repository.MakeInitrd(File.ReadAllText(Path.Combine(Repository.Root, "lab/scripts/device-matrix.sh")), initrd);
        var slots = string.Join(' ', Functions.Select(static f => $"-s {f.Guest},passthru,{f.Host}"));
        Run = Host.Run(
            Guests.Linux(
                Repository.Kernel,
                initrd,
                $"--stats {Host.PathOf("stats.json")} -c 1 -m 512M {slots}",
                "iomem=relaxed nvme_core.multipath=N disks=6 "
                + "net.03.0=10.0.17 net.04.0=10.0.18 net.0d.0=10.0.28 net.0e.0=10.0.50 net.0f.0=10.0.51"),
            BootBound);
    }

    /// <summary>The emulated host.</summary>
    public LabHost Host { get; }

    /// <summary>The guest's output.</summary>
    public CommandResult Run { get; }

    /// <summary>AC97's output as a WAV file: its samples are there now, and its header is complete once the emulated host has
    /// ended.</summary>
    public string Sound { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Host.Dispose();
        File.Delete(Sound);
    }

    /// <summary>How many interrupts of a name, through a controller, a CPU received.</summary>
    public static int Interrupts(CommandResult run, string controller, string name, int cpu) => run.Section("interrupts")
        .Where(line => line.Contains(controller, StringComparison.Ordinal) && line.Contains(name, StringComparison.Ordinal))
        .Sum(line => int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1 + cpu], CultureInfo.InvariantCulture));

    private void MakeVirtualFunction()
    {
        const string Physical = "0000:04:00.0";
        Host.Bind(Physical, "nvme");
        Host.Check($"i=0; while [ ! -e /sys/bus/pci/devices/{Physical}/nvme ] && [ $i -lt 100 ]; do i=$((i + 1)); sleep 0.1; done");
        Host.Check($"sh {Repository.Root}/lab/scripts/nvme-virtual-function.sh {Physical}");
    }
}
