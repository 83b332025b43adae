using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hatchway.Linux.Interop;
using static Hatchway.Linux.Interop.VfioRequests;

namespace Hatchway.Linux.Vfio;

// A hot reset resets a whole slot or bus, with all its functions.
public sealed partial class VfioDevice
{
    // devfn has the device above three bits of function (linux/pci.h, PCI_SLOT and PCI_FUNC).
    private const int FunctionBits = 3;
    private const int FunctionMask = 7;

    /// <summary>Lists the functions that a hot reset of this one resets.</summary>
    /// <returns>All of them, including this one; null when the device has no hot reset.</returns>
    /// <exception cref="LinuxException">EPERM: one of them has no IOMMU group; EAGAIN: one was added during the call.</exception>
    public unsafe IReadOnlyList<DependentFunction>? GetDependentFunctions()
    {
        using var use = Use();
        // Enough for most buses; the kernel reports when it is not.
        var bytes = new byte[sizeof(vfio_pci_hot_reset_info) + (8 * sizeof(vfio_pci_dependent_device))];
        while (true)
        {
            MemoryMarshal.Write(bytes, new vfio_pci_hot_reset_info { argsz = (uint)bytes.Length });
            int result;
            // SAFETY: the buffer is as long as its first member says.
            fixed (byte* start = bytes)
                result = Ioctl.ioctl(use.Fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, start);
            if (result < 0 && LinuxException.Last == Errno.ENODEV)
                return null;
            var count = (int)MemoryMarshal.Read<vfio_pci_hot_reset_info>(bytes).count;
            if (result < 0 && LinuxException.Last == Errno.ENOSPC)
            {
                bytes = new byte[sizeof(vfio_pci_hot_reset_info) + (count * sizeof(vfio_pci_dependent_device))];
                continue;
            }
            LinuxException.Check(result, "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO");
            var functions = new DependentFunction[count];
            var native = MemoryMarshal.Cast<byte, vfio_pci_dependent_device>(bytes.AsSpan(sizeof(vfio_pci_hot_reset_info)));
            for (var i = 0; i < count; i++)
            {
                functions[i] = new DependentFunction(
                    (int)native[i].group_id,
                    native[i].bus,
                    (byte)(native[i].devfn >> FunctionBits),
                    (byte)(native[i].devfn & FunctionMask));
            }
            return functions;
        }
    }

    /// <summary>Resets this function and all that <see cref="GetDependentFunctions"/> lists. The kernel restores their config space;
    /// pages of their BARs that this process has mapped are faulted in anew.</summary>
    /// <param name="groups">The groups of all of them.</param>
    /// <exception cref="LinuxException">EINVAL: one is in another group, or not bound to a VFIO driver; EAGAIN or EBUSY: the host holds the
    /// lock of one.</exception>
    public unsafe void HotReset(IReadOnlyList<VfioGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(groups);
        using var use = Use();
        var bytes = new byte[sizeof(vfio_pci_hot_reset) + (groups.Count * sizeof(int))];
        for (var i = 0; i < groups.Count; i++)
        {
            var fd = (int)groups[i].DangerousGetHandle();
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(sizeof(vfio_pci_hot_reset) + (i * sizeof(int))), fd);
        }
        // SAFETY: the buffer holds the header and as many numbers as the header says; the caller holds the groups.
        fixed (byte* data = bytes)
        {
            Unsafe.Write(data, new vfio_pci_hot_reset { argsz = (uint)bytes.Length, count = (uint)groups.Count });
            LinuxException.Check(Ioctl.ioctl(use.Fd, VFIO_DEVICE_PCI_HOT_RESET, data), "VFIO_DEVICE_PCI_HOT_RESET");
        }
    }
}
