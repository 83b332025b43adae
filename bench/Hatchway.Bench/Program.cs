using Hatchway.Bench;
using Hatchway.Linux;

if (!DeviceFile.CanOpen("/dev/kvm", out var errno))
{
    Console.Error.WriteLine($"/dev/kvm does not open here: {errno}");
    return 4;
}

switch (args)
{
    case []:
        return ExitCost.Run();
    case ["process", _, ..]:
        return ProcessCost.Run(args[1..]);
    case ["pauses", var program]:
        return Pauses.Run(program);
    default:
        Console.Error.WriteLine("usage: Hatchway.Bench, or Hatchway.Bench process PROGRAM..., or Hatchway.Bench pauses PROGRAM");
        return 4;
}
