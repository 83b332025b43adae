using System.Globalization;
using Hatchway.Bench;
using Hatchway.Linux;
using Hatchway.Pci.Address;

// No BenchmarkDotNet: it measures methods, and chooses for itself how often to call them, in processes of its own. What is measured here
// is a thread that stays in KVM, whose cost is the machine's more than the program's; only turns in one process compare two of them.

// Many short turns: the machine's other work changes its pace within seconds.
const int Rounds = 51;
const int SideRounds = 11;
const int WarmUpRounds = 3;
const int Exits = 20_000;
const int LookUps = 1_000_000;
const int DirectReads = 200_000;
const double Most = 1.15;

if (!DeviceFile.CanOpen("/dev/kvm", out var errno))
{
    Console.Error.WriteLine($"/dev/kvm does not open here: {errno}");
    return 4;
}

using var program = new ProgramLoop(GuestCode.ReadForEver());
using var raw = new RawLoop(GuestCode.ReadForEver(), kicks: false);
using var rawWithKicks = new RawLoop(GuestCode.ReadForEver(), kicks: true);
using var direct = new DirectRead(DirectReads);
var programLoop = new Series("exit, VcpuLoop and AddressSpace", Exits, program.Run);
var rawLoop = new Series("exit, raw ioctl and a constant", Exits, raw.Run);
var rawLoopWithKicks = new Series("the same with a signal mask for kicks", Exits, rawWithKicks.Run);
var lookUp = new Series("look-up and answer alone, no exit", LookUps, LookUp);
var mapped = new Series("register read, page in a memory slot", DirectReads, direct.Run);
Series[] all = [programLoop, rawLoop, rawLoopWithKicks, lookUp, mapped];

for (var round = 0; round < WarmUpRounds; round++)
{
    foreach (var series in all)
        series.WarmUp();
}
Series.Measure(Rounds, programLoop, rawLoop, rawLoopWithKicks);
Series.Measure(SideRounds, lookUp, mapped);

var ratio = programLoop.Median / rawLoop.Median;
Console.WriteLine($"{Rounds} rounds in turns, {Exits} exits each; median, and the spread of the rounds");
foreach (var series in all)
    Console.WriteLine(series);
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $"ratio {ratio:F3}, at most {Most}; the loop adds {programLoop.Median - rawLoop.Median:F0} ns to an exit"));
return ratio <= Most ? 0 : 1;

void LookUp(int times)
{
    var sum = 0ul;
    for (var i = 0; i < times; i++)
        sum += program.Memory.Read(GuestCode.DeviceAt + GuestCode.Register, AccessWidth.Dword);
    GC.KeepAlive(sum);
}
