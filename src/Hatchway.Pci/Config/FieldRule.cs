namespace Hatchway.Pci.Config;

/// <summary>The effects that a write to config space may have. The function that owns the mediator applies them.</summary>
[Flags]
public enum ConfigEffects : byte
{
    /// <summary>No effect besides the write itself.</summary>
    None = 0,

    /// <summary>The BARs that answer, or their addresses, may have changed, by decode bits, BARs or the power state.</summary>
    Decode = 1 << 0,

    /// <summary>The MSI capability may have changed.</summary>
    Msi = 1 << 1,

    /// <summary>The MSI-X capability's control register may have changed.</summary>
    Msix = 1 << 2,
}

/// <summary>The rule for one field of config space, bit by bit.</summary>
/// <param name="Name">The register's name in the specification.</param>
/// <param name="Offset">Its first byte.</param>
/// <param name="Length">Bytes, 1 to 8; hidden, read-only and host fields may be longer.</param>
/// <param name="Virtual">Bits that reads take from the mediator's own copy.</param>
/// <param name="Writable">Bits of that copy that the guest may change.</param>
/// <param name="Forwarded">Bits that writes carry to the host function.</param>
/// <param name="Value">The copy's initial value.</param>
/// <param name="Effects">The effects that a write may have.</param>
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
    /// <summary>Creates a virtual field: reads give the mediator's copy; writes change it and never reach the host function.</summary>
    /// <param name="name">The register's name.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes, 1 to 8.</param>
    /// <param name="value">Initial value.</param>
    /// <param name="writable">Bits that the guest may change.</param>
    /// <param name="effects">The effects that a write may have.</param>
    public static FieldRule VirtualField(
        string name, int offset, int length, ulong value, ulong writable = 0, ConfigEffects effects = ConfigEffects.None) =>
        new(name, (ushort)offset, length, ulong.MaxValue, writable, 0, value, effects);

    /// <summary>Creates a hidden field: reads give zero, and writes are dropped. It may be longer than 8 bytes.</summary>
    public static FieldRule HiddenField(string name, int offset, int length) =>
        new(name, (ushort)offset, length, ulong.MaxValue, 0, 0, 0, ConfigEffects.None);

    /// <summary>Creates a field of the host function's registers that the guest can only read. It may be longer than 8 bytes.</summary>
    public static FieldRule ReadOnlyField(string name, int offset, int length) =>
        new(name, (ushort)offset, length, 0, 0, 0, 0, ConfigEffects.None);

    /// <summary>Creates a field of the host function's registers that the guest can read and write, as an exception to an earlier rule. It
    /// may be longer than 8 bytes.</summary>
    public static FieldRule HostField(string name, int offset, int length) =>
        new(name, (ushort)offset, length, 0, 0, ulong.MaxValue, 0, ConfigEffects.None);

    /// <summary>Creates a field in which some bits are the mediator's, and the others the host function's.</summary>
    /// <param name="name">The register's name.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Bytes, 1 to 8.</param>
    /// <param name="virtualBits">Bits that reads take from the mediator's copy.</param>
    /// <param name="value">The copy's initial value.</param>
    /// <param name="writable">Bits of the copy that the guest may change.</param>
    /// <param name="forwarded">Bits that writes carry to the host function.</param>
    /// <param name="effects">The effects that a write may have.</param>
    /// <param name="kept">Bits of the host function that a forwarded write preserves.</param>
    public static FieldRule MaskedField(
        string name, int offset, int length, ulong virtualBits, ulong value, ulong writable, ulong forwarded,
        ConfigEffects effects = ConfigEffects.None, ulong kept = 0) =>
        new(name, (ushort)offset, length, virtualBits, writable, forwarded, value, effects, kept);
}
