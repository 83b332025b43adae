using Hatchway.CommandLine;
using Hatchway.Configuration;

namespace Hatchway.Firmware;

/// <summary>A file that the user adds to fw_cfg: bhyve's <c>-f name,string=TEXT</c> or <c>-f name,file=PATH</c>.</summary>
/// <param name="Origin">What the user typed.</param>
/// <param name="Name">Its name in the guest.</param>
/// <param name="Text">Its content, or null.</param>
/// <param name="Path">A file with its content, or null.</param>
internal sealed record ConfigurationItem(string Origin, string Name, string? Text, string? Path);

/// <summary>The firmware that the guest starts from.</summary>
internal sealed record FirmwareOptions
{
    /// <summary>The firmware's file, or null for the installed one.</summary>
    public string? Code { get; init; }

    /// <summary>The file with its variables, which is written to, or null for the guest's own copy of the installed ones.</summary>
    public string? Variables { get; init; }

    /// <summary>Files for fw_cfg beyond the machine's description.</summary>
    public IReadOnlyList<ConfigurationItem> Items { get; init; } = [];

    /// <summary>Reads the configuration.</summary>
    /// <param name="tree">The configuration.</param>
    /// <param name="hasKernel">True when a kernel is given.</param>
    /// <returns>Null when the guest starts from the kernel.</returns>
    /// <exception cref="UserException">Both kernel and firmware are given, or something is wrong.</exception>
    public static FirmwareOptions? From(ConfigurationTree tree, bool hasKernel)
    {
        var root = tree.Root;
        if (root.Text("lpc.fwcfg") is not (null or "qemu" or KnownVariables.BhyveFwcfg))
        {
            throw new UserException(
                $"{root.Origin("lpc.fwcfg")}: '{root.Text("lpc.fwcfg")}': there is qemu only, which is what OVMF reads");
        }
        var items = root.Node("fwcfg").Children.Select(Item).ToArray();
        if (hasKernel)
            return CheckKernel(root, items);
        foreach (var name in (ReadOnlySpan<string>)["hatchway.initrd", "hatchway.cmdline"])
        {
            if (root.Find(name) is not null)
                throw new UserException($"{root.Origin(name)}: belongs to a kernel: add --kernel FILE");
        }
        var code = RunOptions.ExistingFile(root, "lpc.bootrom", ": without -l bootrom the installed OVMF is taken");
        var variables = root.Text("lpc.bootvars");
        if (variables is not null && code is null)
            throw new UserException($"{root.Origin("lpc.bootvars")}: variables of which firmware? Write -l bootrom,CODE.fd,VARS.fd");
        return new FirmwareOptions { Code = code, Variables = variables, Items = items };
    }

    // QEMU has a third way, to start a kernel by firmware; Hatchway does not.
    private static FirmwareOptions? CheckKernel(ConfigurationNode root, ConfigurationItem[] items)
    {
        if (root.Find("lpc.bootrom") is not null)
        {
            throw new UserException(
                $"{root.Origin("lpc.bootrom")}: and --kernel: firmware finds its system on a disk, "
                + "and a kernel starts without it; give one of them");
        }
        return items is []
            ? null
            : throw new UserException($"{items[0].Origin}: only firmware reads that: use it with -l bootrom, or without --kernel");
    }

    private static ConfigurationItem Item(ConfigurationNode node) => new(
        node.Origin(),
        node.Text("name") ?? throw new UserException($"{node.Origin()}: no name: write -f NAME,string=TEXT or NAME,file=PATH"),
        node.Text("string"),
        RunOptions.ExistingFile(node, "file"));
}
