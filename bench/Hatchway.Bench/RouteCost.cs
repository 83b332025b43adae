using Hatchway.Linux.Kvm;
using Hatchway.Passthrough.Kvm;
using Hatchway.Pci.Interrupts;

namespace Hatchway.Bench;

/// <summary>The cost of changing one vector's route, as a guest does that moves an interrupt to another CPU,
/// by the number of vectors in use.</summary>
internal static class RouteCost
{
    private const int Rounds = 15;
    private const int Changes = 20;
    private static readonly int[] s_vectors = [1, 64, 512, 1024, 2048, 4000];

    /// <summary>Measures and prints the results.</summary>
    public static int Run()
    {
        using var system = KvmSystem.Open();
        var machines = s_vectors.Select(_ => system.CreateVm()).ToArray();
        try
        {
            var all = machines.Select((machine, i) => Change(machine, s_vectors[i])).ToArray();
            Series.WarmUp(all);
            Series.Measure(Rounds, all);
            Console.WriteLine($"{Rounds} rounds in turns, {Changes} changes each; median, and the spread of the rounds");
            foreach (var series in all)
                Console.WriteLine(series);
        }
        finally
        {
            foreach (var machine in machines)
                machine.Dispose();
        }
        return 0;
    }

    private static Series Change(KvmVm machine, int vectors)
    {
        machine.CreateInterruptControllers();
        var routes = new InterruptRoutes(machine);
        var gsi = 0u;
        for (var i = 0; i < vectors; i++)
            gsi = routes.Add(new MsiMessage(0xFEE0_0000, 0x30)) ?? throw new InvalidOperationException($"KVM has no {vectors} routes");
        var data = 0u;
        return new Series($"one of {vectors} routes", Changes, times =>
        {
            for (var i = 0; i < times; i++)
                routes.Change(gsi, new MsiMessage(0xFEE0_0000, 0x30 + (++data % 0x80)));
        });
    }
}
