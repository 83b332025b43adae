using Hatchway.Pci.Address;

namespace Hatchway.Vm;

/// <summary>The target behind all others for bhyve(8)'s <c>-e</c>: an access to a port that nothing answers ends the guest.</summary>
internal sealed class UnclaimedPorts(GuestEnd end) : IAddressTarget
{
    public ulong Read(ulong offset, AccessWidth width)
    {
        end.Fail($"it read {(int)width} bytes at port {offset:x}h, which nothing answers; without -e they would be all ones");
        return width.AllOnes();
    }

    public void Write(ulong offset, AccessWidth width, ulong value) =>
        end.Fail($"it wrote {value:x}h to {(int)width} bytes at port {offset:x}h, which nothing takes; without -e it would be dropped");
}
