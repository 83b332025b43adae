using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.KvmRequests;

namespace Hatchway.Linux.Kvm;

/// <summary>/dev/kvm: reports what KVM can do, and makes VMs (Linux Documentation/virt/kvm/api.rst, "system ioctls").</summary>
public sealed class KvmSystem : FileDescriptor
{
    private const int ApiVersion = 12;
    private const int MostCpuidEntries = 256;

    private KvmSystem(int fd)
        : base(fd)
    {
    }

    /// <summary>Opens KVM.</summary>
    /// <exception cref="LinuxException">It is not there, or may not be opened.</exception>
    public static KvmSystem Open()
    {
        var system = new KvmSystem(OpenPath("/dev/kvm", Libc.O_RDWR));
        var version = LinuxException.Check(Ioctl.ioctl((int)system.handle, KVM_GET_API_VERSION, 0), "KVM_GET_API_VERSION");
        if (version == ApiVersion)
            return system;
        system.Dispose();
        throw new LinuxException($"KVM's API version is {version}, not {ApiVersion}", Errno.ENOTTY);
    }

    /// <summary>Makes an empty VM.</summary>
    /// <exception cref="LinuxException">KVM refuses, as when another hypervisor uses the CPU's virtualization.</exception>
    public KvmVm CreateVm()
    {
        using var use = Use();
        int vm;
        do
        {
            // A signal to this thread, even one of the runtime's own, can interrupt KVM_CREATE_VM.
            vm = Ioctl.ioctl(use.Fd, KVM_CREATE_VM, 0);
        }
        while (vm < 0 && LinuxException.Last == Errno.EINTR);
        LinuxException.Check(vm, "KVM_CREATE_VM");
        var runSize = LinuxException.Check(Ioctl.ioctl(use.Fd, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
        return new KvmVm(vm, (uint)runSize);
    }

    /// <summary>Asks for a capability.</summary>
    /// <returns>0 when KVM lacks it; else 1, or a number whose meaning depends on the capability.</returns>
    public int CheckExtension(KvmCapability capability)
    {
        using var use = Use();
        return LinuxException.Check(Ioctl.ioctl(use.Fd, KVM_CHECK_EXTENSION, (nint)capability), "KVM_CHECK_EXTENSION");
    }

    /// <summary>The CPUID leaves that KVM and this CPU can offer a guest.</summary>
    public unsafe IReadOnlyList<CpuidEntry> GetSupportedCpuid()
    {
        using var use = Use();
        var bytes = new byte[sizeof(kvm_cpuid2) + (MostCpuidEntries * sizeof(kvm_cpuid_entry2))];
        // SAFETY: the buffer holds the header and as many entries as the header says.
        fixed (byte* start = bytes)
        {
            var header = (kvm_cpuid2*)start;
            header->nent = MostCpuidEntries;
            LinuxException.Check(Ioctl.ioctl(use.Fd, KVM_GET_SUPPORTED_CPUID, start), "KVM_GET_SUPPORTED_CPUID");
            var native = MemoryMarshal.Cast<byte, kvm_cpuid_entry2>(bytes.AsSpan(sizeof(kvm_cpuid2)))[..(int)header->nent];
            var entries = new List<CpuidEntry>(native.Length);
            foreach (var entry in native)
                entries.Add(CpuidEntry.From(entry));
            return entries;
        }
    }
}
