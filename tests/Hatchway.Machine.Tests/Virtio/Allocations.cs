namespace Hatchway.Machine.Tests.Virtio;

/// <summary>What a loop allocates, once it is warm.</summary>
internal static class Allocations
{
    // What is made once, as by a method that is compiled anew meanwhile, is not in each of them.
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
