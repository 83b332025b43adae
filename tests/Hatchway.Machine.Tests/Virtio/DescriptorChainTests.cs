using Hatchway.Machine.Memory;
using Hatchway.Machine.Virtio;

namespace Hatchway.Machine.Tests.Virtio;

public sealed class DescriptorChainTests
{
    [Fact]
    public void A_chain_has_at_most_4_GiB_however_often_it_names_the_same_memory()
    {
        var memory = new QueueMemory(new LargeMemory());
        var chain = new DescriptorChain();

        for (var i = 0; i < 4; i++)
            Assert.True(chain.TryAdd(memory, 0, 1u << 30, writable: i >= 2));
        Assert.False(chain.TryAdd(memory, 0, 1, writable: true));

        chain.Clear();
        Assert.True(chain.TryAdd(memory, 0, 1, writable: true));
    }

    // Never accessed.
    private sealed class LargeMemory : IGuestMemory
    {
        public IReadOnlyList<RamRange> Ranges { get; } = [new(0, 0, 1ul << 30)];

        public Span<byte> Slice(ulong guestPhysical, int length) => throw new NotSupportedException();
    }
}
