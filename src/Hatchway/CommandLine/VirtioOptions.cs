using Hatchway.Configuration;

namespace Hatchway.CommandLine;

/// <summary>The settings that all virtio devices have.</summary>
internal static class VirtioOptions
{
    /// <summary>The packed layout of queues is offered to the guest, beside the split one.</summary>
    /// <exception cref="UserException">The variable <c>ring</c> is neither.</exception>
    public static bool Packed(ConfigurationNode node) => node.Text("ring") switch
    {
        null or "split" => false,
        "packed" => true,
        var other => throw new UserException($"{node.Origin("ring")}: '{other}': write ring=packed or ring=split"),
    };
}
