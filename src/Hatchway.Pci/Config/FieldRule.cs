namespace Hatchway.Pci.Config;

/// <summary>What may follow from a write to config space. The function that owns the mediator applies it.</summary>
[Flags]
public enum ConfigEffects : byte
{
    /// <summary>Nothing but the write itself.</summary>
    None = 0,

    /// <summary>Which BARs answer, or where, may have changed: decode bits, BARs, power state.</summary>
    Decode = 1 << 0,

    /// <summary>The MSI capability may have changed.</summary>
    Msi = 1 << 1,

    /// <summary>The MSI-X capability's control register may have changed.</summary>
    Msix = 1 << 2,
}

/// <summary>How one field of config space is treated, bit by bit.</summary>
/// <param name="Name">The register's name in the specification.</param>
/// <param name="Offset">Its first byte.</param>
/// <param name="Length">Bytes, 1 to 8; hidden, read-only and host fields may be longer.</param>
/// <param name="Virtual">Bits that reads take from the mediator's own copy.</param>
/// <param name="Writable">Bits of that copy that the guest may change.</param>
/// <param name="Forwarded">Bits that writes carry to the host function.</param>
/// <param name="Value">The copy's first value.</param>
/// <param name="Effects">What a write may lead to.</param>
/// <param name="Kept">Host bits that a forwarded write preserves; bits neither forwarded nor kept are written as zero.</param>
public sealed record FieldRule(
    string Name,
    ushort Offset,
    int Length,
    ulong Virtual,
    ulong Writable,
    ulong Forwarded,
    ulong Value,
    ConfigEffects Effects,
    ulong Kept = 0)
{
    /// <summary>A field that is the mediator's: reads give the guest's view, writes change it and never reach the host function.</summary>
    /// <param name="name">Register.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes, 1 to 8.</param>
    /// <param name="value">First value.</param>
    /// <param name="writable">Bits that the guest may change.</param>
    /// <param name="effects">What a write may lead to.</param>
    public static FieldRule VirtualField(
        string name, int offset, int length, ulong value, ulong writable = 0, ConfigEffects effects = ConfigEffects.None) =>
        new(name, (ushort)offset, length, ulong.MaxValue, writable, 0, value, effects);

    /// <summary>A field that is not there: reads give zero, writes are dropped. May be longer than 8 bytes.</summary>
    public static FieldRule HiddenField(string name, int offset, int length) =>
        new(name, (ushort)offset, length, ulong.MaxValue, 0, 0, 0, ConfigEffects.None);

    /// <summary>The host function's own registers, which the guest can read; writes are dropped. May be longer than 8 bytes.</summary>
    public static FieldRule ReadOnlyField(string name, int offset, int length) =>
        new(name, (ushort)offset, length, 0, 0, 0, 0, ConfigEffects.None);

    /// <summary>The host function's own registers after all, read and written at the guest's width. May be longer than 8 bytes.</summary>
    public static FieldRule HostField(string name, int offset, int length) =>
        new(name, (ushort)offset, length, 0, 0, ulong.MaxValue, 0, ConfigEffects.None);

    /// <summary>A field of which some bits are the mediator's, the others the host function's.</summary>
    /// <param name="name">Register.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes, 1 to 8.</param>
    /// <param name="virtualBits">Bits that reads take from the mediator's copy.</param>
    /// <param name="value">The copy's first value.</param>
    /// <param name="writable">Bits of the copy that the guest may change.</param>
    /// <param name="forwarded">Bits that writes carry to the host function.</param>
    /// <param name="effects">What a write may lead to.</param>
    /// <param name="kept">Bits that a forwarded write leaves in the host function as they are.</param>
    public static FieldRule MaskedField(
        string name, int offset, int length, ulong virtualBits, ulong value, ulong writable, ulong forwarded,
        ConfigEffects effects = ConfigEffects.None, ulong kept = 0) =>
        new(name, (ushort)offset, length, virtualBits, writable, forwarded, value, effects, kept);
}
