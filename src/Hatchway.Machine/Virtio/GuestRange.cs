namespace Hatchway.Machine.Virtio;

/// <summary>Bytes of the guest's RAM, known to lie within one of its ranges.</summary>
/// <param name="Address">Guest-physical address of the first byte.</param>
/// <param name="Length">Bytes, at least 1.</param>
public readonly record struct GuestRange(ulong Address, uint Length);
