namespace Hatchway.Machine.Virtio;

/// <summary>Bytes of the guest's RAM, known to lie wholly in one of its ranges.</summary>
/// <param name="Address">Guest-physical address of the first.</param>
/// <param name="Length">Bytes, at least 1.</param>
public readonly record struct GuestRange(ulong Address, uint Length);
