using Hatchway.Linux;
using Hatchway.Machine.Virtio.Devices;

namespace Hatchway.Devices;

/// <summary>The host kernel's random bytes.</summary>
internal sealed class KernelEntropy : IEntropySource
{
    public int Fill(Span<byte> bytes) => RandomBytes.Fill(bytes);
}
