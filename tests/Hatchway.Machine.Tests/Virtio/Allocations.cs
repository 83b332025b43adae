namespace Hatchway.Machine.Tests.Virtio;

/// <summary>What a loop allocates, once it is warm.</summary>
internal static class Allocations
{
    public static void AssertNone(Action<int> step, int count)
    {
        for (var i = 0; i < 2_000; i++)
            step(i);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < count; i++)
            step(i);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
