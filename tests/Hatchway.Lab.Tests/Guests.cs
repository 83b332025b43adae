namespace Hatchway.Lab.Tests;

/// <summary>Command lines and scripts that several tests use.</summary>
internal static class Guests
{
    public static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);

    /// <summary>The bridges and the console of every Linux guest.</summary>
    public const string Bridges = "-s 0:0,hostbridge -s 1:0,lpc -l com1,stdio";

    /// <summary>
    /// The kernel arguments of a Linux guest. noxsave: QEMU's software emulation of SVM executes XSETBV in the guest without an exit to
    /// KVM, so the sizes that KVM computes for CPUID 0Dh don't match and Linux would warn of that, under any monitor.
    /// </summary>
    public const string KernelArguments = "console=ttyS0 quiet panic=-1 noxsave";

    /// <summary>The command that runs a Linux guest.</summary>
    public static string Linux(string kernel, string initrd, string options, string arguments = "") =>
        $"{Repository.Program} run {Bridges} {options} --kernel {kernel} --initrd {initrd} "
        + $"--cmdline '{KernelArguments} {arguments}' linuxguest";

    /// <summary>Asserts that no process has a file of VFIO or KVM open.</summary>
    public static void AssertNothingOpen(LabHost host) =>
        Assert.Equal("", host.Run("ls -l /proc/[0-9]*/fd 2> /dev/null | grep -E '/dev/vfio|/dev/kvm|kvm-v|vfio'").Output.Trim());

    /// <summary>Asserts that no file of VFIO is open and no memory is pinned for DMA.</summary>
    public static void AssertNothingLeft(LabHost host)
    {
        AssertNothingOpen(host);
        // Each CPU has its own counts; stat_refresh adds them up (Linux Documentation/admin-guide/sysctl/vm.rst).
        var pins = host.Check("cat /proc/sys/vm/stat_refresh; grep nr_foll_pin /proc/vmstat").Split('\n')
            .Select(static line => line.Split(' ')[1])
            .ToArray();
        Assert.Equal(pins[0], pins[1]);
        Assert.NotEqual("0", pins[0]);
    }
}
