using Hatchway.Pci.Address;
using Hatchway.Pci.Config;

namespace Hatchway.Pci.Topology;

/// <summary>A function without a host function: its config space is an array of bytes, with a mask of the bits a guest may
/// change.</summary>
/// <remarks>The host bridge and the LPC bridge are such functions. They use the same mediator, with every byte virtual.</remarks>
public sealed class EmulatedFunction : IPciFunction
{
    private readonly ConfigMediator _mediator;

    /// <summary>Creates a function with 256 bytes of config space.</summary>
    /// <param name="values">The initial values, at most 256 bytes; the rest is zero.</param>
    /// <param name="writable">The mask of bits that the guest may change, at most 256 bytes; the rest is zero.</param>
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

    // Every byte has a virtual rule, so no access reaches this.
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
