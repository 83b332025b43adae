using Hatchway.Pci.Address;
using Hatchway.Pci.Config;

namespace Hatchway.Pci.Topology;

/// <summary>A function without a host behind it: its config space is bytes and a mask of what a guest may change.</summary>
/// <remarks>The host bridge and the LPC bridge are such functions. The same mediator serves them, with every byte virtual.</remarks>
public sealed class EmulatedFunction : IPciFunction
{
    private readonly ConfigMediator _mediator;

    /// <summary>Makes a function of 256 bytes of config space.</summary>
    /// <param name="values">The first values, at most 256 bytes; what is missing is zero.</param>
    /// <param name="writable">A set bit may be changed by the guest; at most 256 bytes, what is missing is zero.</param>
    public EmulatedFunction(ReadOnlySpan<byte> values, ReadOnlySpan<byte> writable)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(values.Length, Spec.Header.ConventionalSize, nameof(values));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(writable.Length, Spec.Header.ConventionalSize, nameof(writable));
        var rules = new FieldRule[Spec.Header.ConventionalSize];
        for (var i = 0; i < rules.Length; i++)
        {
            rules[i] = FieldRule.VirtualField(
                "emulated", i, 1, i < values.Length ? values[i] : 0ul, i < writable.Length ? writable[i] : 0ul);
        }
        _mediator = new ConfigMediator(NoHost.Instance, rules);
    }

    /// <inheritdoc/>
    public uint ReadConfig(ConfigOffset offset, AccessWidth width) => _mediator.Read(offset, width);

    /// <inheritdoc/>
    public void WriteConfig(ConfigOffset offset, AccessWidth width, uint value) => _mediator.Write(offset, width, value);

    // Every byte has a virtual rule, so nothing ever reaches this.
    private sealed class NoHost : IHostConfigSpace
    {
        public static readonly NoHost Instance = new();

        public int Size => Spec.Header.ConventionalSize;

        public uint Read(ConfigOffset offset, AccessWidth width) => (uint)width.AllOnes();

        public void Write(ConfigOffset offset, AccessWidth width, uint value)
        {
        }
    }
}
