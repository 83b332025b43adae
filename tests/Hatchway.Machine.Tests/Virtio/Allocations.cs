namespace Hatchway.Machine.Tests.Virtio;

/// <summary>Asserts that a loop allocates nothing once it is warm.</summary>
internal static class Allocations
{
    // A one-time allocation, as by a method that is recompiled meanwhile, does not occur in every round.
    private const int Rounds = 3;

    public static void AssertNone(Action<int> step, int count)
    {
        for (var i = 0; i < 2_000; i++)
            step(i);
        var least = long.MaxValue;
        for (var round = 0; round < Rounds && least > 0; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < count; i++)
                step(i);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.Equal(0, least);
    }
}
