using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Hatchway.Pci.Address;

/// <summary>The address of a PCI function: domain, bus, device and function number.</summary>
/// <param name="Domain">PCI domain: a segment group, 0 to 0xFFFF, or above that, one that Linux makes itself, such as a VMD
/// controller's.</param>
/// <param name="Bus">Bus number, 0 to 255.</param>
/// <param name="Device">Device number (the slot), 0 to 31.</param>
/// <param name="Function">Function number, 0 to 7.</param>
/// <remarks>
/// Three notations are parsed: Linux's <c>dddd:bb:dd.f</c> and <c>bb:dd.f</c> in hexadecimal, bhyve's <c>bus/slot/function</c> in decimal
/// (bhyve(8), "passthru"), and pciconf(8)'s <c>pci0:bus:slot:function</c>. Linux's is printed.
/// </remarks>
public readonly record struct PciAddress(uint Domain, byte Bus, byte Device, byte Function) : ISpanParsable<PciAddress>
{
    /// <summary>
    /// The function's routing id in its segment: bus in bits 15:8, device in 7:3, function in 2:0 (PCIe 6.0 §2.2.6.2).
    /// </summary>
    public ushort RoutingId => (ushort)((Bus << 8) | (Device << 3) | Function);

    /// <inheritdoc/>
    public override string ToString() => $"{Domain:x4}:{Bus:x2}:{Device:x2}.{Function:x}";

    /// <inheritdoc/>
    /// <exception cref="FormatException">The text is in neither notation, or a number is out of its range.</exception>
    public static PciAddress Parse(ReadOnlySpan<char> s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out var address)
            ? address
            : throw new FormatException($"'{s}' is not a PCI address: write it as 0000:00:06.0, or as bhyve does, 0/6/0");

    /// <inheritdoc cref="Parse(ReadOnlySpan{char}, IFormatProvider?)"/>
    public static PciAddress Parse(string s, IFormatProvider? provider = null) => Parse(s.AsSpan(), provider);

    /// <inheritdoc/>
    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out PciAddress result) =>
        TryParse(s.AsSpan(), provider, out result);

    /// <inheritdoc/>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out PciAddress result) =>
        s.StartsWith("pci") ? TryParseSelector(s["pci".Length..], out result)
        : s.Contains('/') ? TryParseDecimal(s, '/', out result)
        : TryParseLinux(s, out result);

    // The domain in pciconf(8)'s notation is FreeBSD's own numbering. Only 0 has a counterpart here.
    private static bool TryParseSelector(ReadOnlySpan<char> s, out PciAddress result)
    {
        var hasDomain = s.Count(':') == 3 && s.StartsWith("0:");
        return TryParseDecimal(hasDomain ? s[2..] : s, ':', out result);
    }

    private static bool TryParseDecimal(ReadOnlySpan<char> s, char separator, out PciAddress result)
    {
        result = default;
        Span<Range> parts = stackalloc Range[4];
        if (s.Split(parts, separator) != 3
            || !TryNumber(s[parts[0]], NumberStyles.None, 255, out var bus)
            || !TryNumber(s[parts[1]], NumberStyles.None, 31, out var device)
            || !TryNumber(s[parts[2]], NumberStyles.None, 7, out var function))
            return false;
        result = new PciAddress(0, (byte)bus, (byte)device, (byte)function);
        return true;
    }

    private static bool TryParseLinux(ReadOnlySpan<char> s, out PciAddress result)
    {
        result = default;
        var dot = s.LastIndexOf('.');
        if (dot < 0)
            return false;
        Span<Range> parts = stackalloc Range[4];
        var head = s[..dot];
        var count = head.Split(parts, ':');
        if (count is not (2 or 3))
            return false;
        var domain = 0u;
        if (count == 3 && !TryNumber(head[parts[0]], NumberStyles.AllowHexSpecifier, uint.MaxValue, out domain))
            return false;
        if (!TryNumber(head[parts[count - 2]], NumberStyles.AllowHexSpecifier, 0xFF, out var bus)
            || !TryNumber(head[parts[count - 1]], NumberStyles.AllowHexSpecifier, 0x1F, out var device)
            || !TryNumber(s[(dot + 1)..], NumberStyles.AllowHexSpecifier, 7, out var function))
            return false;
        result = new PciAddress(domain, (byte)bus, (byte)device, (byte)function);
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<char> s, NumberStyles style, uint max, out uint value) =>
        uint.TryParse(s, style, CultureInfo.InvariantCulture, out value) && value <= max;
}
