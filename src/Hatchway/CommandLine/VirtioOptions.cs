using Hatchway.Configuration;

namespace Hatchway.CommandLine;

/// <summary>The settings common to all virtio devices.</summary>
internal static class VirtioOptions
{
    /// <summary>True to offer the guest the packed layout of queues, beside the split one.</summary>
    /// <exception cref="UserException">The variable <c>ring</c> is neither packed nor split.</exception>
    public static bool Packed(ConfigurationNode node) => node.Text("ring") switch
    {
        null or "split" => false,
        "packed" => true,
        var other => throw new UserException($"{node.Origin("ring")}: '{other}': write ring=packed or ring=split"),
    };
}
