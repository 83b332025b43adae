namespace Hatchway.Linux.Vfio;

/// <summary>A function that a hot reset resets (linux/vfio.h, struct vfio_pci_dependent_device).</summary>
/// <param name="Group">Its IOMMU group.</param>
/// <param name="Bus">Its bus, in the domain of the function that was asked.</param>
/// <param name="Device">Its device number, 0 to 31.</param>
/// <param name="Function">Its function number, 0 to 7.</param>
/// <remarks>The kernel's own field for the domain has 16 bits, and domains that Linux makes itself have more.</remarks>
public readonly record struct DependentFunction(int Group, byte Bus, byte Device, byte Function);
