using Hatchway.Bench;
using Hatchway.Bench.Comparison;
using Hatchway.Linux;

// For bench/run: the folder with the measurements; and, to keep them, the page that shows them and a file for gnuplot.
if (args is ["report", var results, .. var outputs])
{
    var samples = new Samples(Directory.GetFiles(results, "*.tsv").SelectMany(File.ReadLines));
    Console.Write(Report.Table(samples));
    if (outputs is [var page, var plot])
    {
        File.WriteAllText(page, Report.Insert(File.ReadAllText(page), Report.Table(samples)));
        File.WriteAllText(plot, Report.PlotTable(samples));
    }
    return 0;
}

if (!DeviceFile.CanOpen("/dev/kvm", out var errno))
{
    Console.Error.WriteLine($"/dev/kvm does not open here: {errno}");
    return 4;
}

switch (args)
{
    case []:
        return ExitCost.Run();
    case ["routes"]:
        return RouteCost.Run();
    case ["process", _, ..]:
        return ProcessCost.Run(args.AsSpan(1));
    case ["pauses", var program]:
        return Pauses.Run(program);
    default:
        Console.Error.WriteLine("usage: Hatchway.Bench [routes | process PROGRAM... | pauses PROGRAM]");
        return 4;
}
