using System.Buffers.Binary;
using System.Text;

namespace Hatchway.Machine.Acpi;

/// <summary>A piece of AML: an object, a statement or an expression, encoded (ACPI 6.5 §20.2).</summary>
internal readonly record struct AmlTerm(ReadOnlyMemory<byte> Bytes);

/// <summary>Encodes AML, with ASL's names, so that tables read like their source.</summary>
internal static class Aml
{
    private const byte NameOp = 0x08;
    private const byte BytePrefix = 0x0A;
    private const byte WordPrefix = 0x0B;
    private const byte DWordPrefix = 0x0C;
    private const byte StringPrefix = 0x0D;
    private const byte QWordPrefix = 0x0E;
    private const byte ScopeOp = 0x10;
    private const byte BufferOp = 0x11;
    private const byte PackageOp = 0x12;
    private const byte VarPackageOp = 0x13;
    private const byte MethodOp = 0x14;
    private const byte DualNamePrefix = 0x2E;
    private const byte MultiNamePrefix = 0x2F;
    private const byte RootPrefix = (byte)'\\';
    private const byte ExtendedPrefix = 0x5B;
    private const byte Arg0Op = 0x68;
    private const byte StoreOp = 0x70;
    private const byte OrOp = 0x7D;
    private const byte DeviceExtendedOp = 0x82;
    private const byte CreateDWordFieldOp = 0x8A;
    private const byte LogicalNotOp = 0x92;
    private const byte LogicalEqualOp = 0x93;
    private const byte IfOp = 0xA0;
    private const byte ElseOp = 0xA1;
    private const byte ReturnOp = 0xA4;

    private const byte SerializedMethod = 1 << 3;
    private const int SegmentLength = 4;
    private const int MostArguments = 7;

    public static AmlTerm Scope(string path, params ReadOnlySpan<AmlTerm> body) => Block([ScopeOp], Path(path), body);

    public static AmlTerm Device(string path, params ReadOnlySpan<AmlTerm> body) =>
        Block([ExtendedPrefix, DeviceExtendedOp], Path(path), body);

    public static AmlTerm Name(string path, AmlTerm value) => Join([NameOp], Path(path), value.Bytes.Span);

    /// <summary>A method. It is serialized, because all of ours create named fields, which two threads may not do at once.</summary>
    public static AmlTerm Method(string path, int arguments, params ReadOnlySpan<AmlTerm> body)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)arguments, (uint)MostArguments);
        return Block([MethodOp], [.. Path(path), (byte)(arguments | SerializedMethod)], body);
    }

    public static AmlTerm If(AmlTerm condition, params ReadOnlySpan<AmlTerm> body) => Block([IfOp], condition.Bytes.Span, body);

    public static AmlTerm Else(params ReadOnlySpan<AmlTerm> body) => Block([ElseOp], [], body);

    public static AmlTerm Return(AmlTerm value) => Join([ReturnOp], value.Bytes.Span, []);

    public static AmlTerm Equal(AmlTerm one, AmlTerm other) => Join([LogicalEqualOp], one.Bytes.Span, other.Bytes.Span);

    public static AmlTerm NotEqual(AmlTerm one, AmlTerm other) => Join([LogicalNotOp, LogicalEqualOp], one.Bytes.Span, other.Bytes.Span);

    public static AmlTerm Store(AmlTerm value, AmlTerm target) => Join([StoreOp], value.Bytes.Span, target.Bytes.Span);

    /// <summary>Sets bits in a target.</summary>
    public static AmlTerm OrInto(AmlTerm target, AmlTerm bits) =>
        Join([OrOp, .. target.Bytes.Span], bits.Bytes.Span, target.Bytes.Span);

    public static AmlTerm CreateDWordField(AmlTerm buffer, ulong offset, string name) =>
        Join([CreateDWordFieldOp, .. buffer.Bytes.Span], Integer(offset).Bytes.Span, Path(name));

    /// <summary>An argument of the enclosing method, counted from 0.</summary>
    public static AmlTerm Arg(int index) => new(new[] { (byte)(Arg0Op + index) });

    /// <summary>A reference to a named object.</summary>
    public static AmlTerm Reference(string path) => new(Path(path));

    /// <summary>An integer, in the shortest encoding.</summary>
    public static AmlTerm Integer(ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return value switch
        {
            0 or 1 => new(new[] { (byte)value }), // ZeroOp and OneOp are 0 and 1.
            <= byte.MaxValue => Join([BytePrefix], bytes[..1], []),
            <= ushort.MaxValue => Join([WordPrefix], bytes[..2], []),
            <= uint.MaxValue => Join([DWordPrefix], bytes[..4], []),
            _ => Join([QWordPrefix], bytes, []),
        };
    }

    public static AmlTerm String(string text) => Join([StringPrefix], Encoding.ASCII.GetBytes(text), [0]);

    /// <summary>A plug and play identifier like "PNP0A08", packed into a dword (ACPI 6.5 §19.6.37).</summary>
    public static AmlTerm EisaId(string id)
    {
        if (id.Length != 7)
            throw new ArgumentException($"{id} is not three letters and four hexadecimal digits", nameof(id));
        var letters = ((id[0] - '@') << 10) | ((id[1] - '@') << 5) | (id[2] - '@');
        var packed = ((uint)letters << 16) | Convert.ToUInt16(id[3..], 16);
        return Integer(BinaryPrimitives.ReverseEndianness(packed));
    }

    /// <summary>A UUID as a buffer. .NET lays a GUID out as ACPI does: the first three fields are little-endian.</summary>
    public static AmlTerm Uuid(string text) => Buffer(Guid.Parse(text).ToByteArray());

    public static AmlTerm Buffer(ReadOnlySpan<byte> content) =>
        Block([BufferOp], Integer((ulong)content.Length).Bytes.Span, new AmlTerm(content.ToArray()));

    /// <summary>A package; with more than 255 elements, a VarPackage.</summary>
    public static AmlTerm Package(params ReadOnlySpan<AmlTerm> elements) => elements.Length <= byte.MaxValue
        ? Block([PackageOp], [(byte)elements.Length], elements)
        : Block([VarPackageOp], Integer((ulong)elements.Length).Bytes.Span, elements);

    /// <summary>Joins the terms' bytes.</summary>
    public static byte[] Concatenate(params ReadOnlySpan<AmlTerm> terms)
    {
        var length = 0;
        foreach (var term in terms)
            length += term.Bytes.Length;
        var bytes = new byte[length];
        var at = 0;
        foreach (var term in terms)
        {
            term.Bytes.Span.CopyTo(bytes.AsSpan(at));
            at += term.Bytes.Length;
        }
        return bytes;
    }

    // An operation, its PkgLength, its fixed operands, then its content.
    private static AmlTerm Block(ReadOnlySpan<byte> operation, ReadOnlySpan<byte> head, params ReadOnlySpan<AmlTerm> body)
    {
        var content = Concatenate(body);
        return new((byte[])[.. operation, .. PackageLength(head.Length + content.Length), .. head, .. content]);
    }

    private static AmlTerm Join(ReadOnlySpan<byte> one, ReadOnlySpan<byte> two, ReadOnlySpan<byte> three) =>
        new((byte[])[.. one, .. two, .. three]);

    /// <summary>PkgLength counts its own bytes too (ACPI 6.5 §20.2.4).</summary>
    private static byte[] PackageLength(int content)
    {
        // Up to 6 bits fit one byte; else the first byte holds 4 bits and the number of bytes that follow, with 8 bits each.
        if (content + 1 < 1 << 6)
            return [(byte)(content + 1)];
        var following = content + 2 < 1 << 12 ? 1 : content + 3 < 1 << 20 ? 2 : 3;
        var total = content + 1 + following;
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(total, 1 << 28);
        var bytes = new byte[1 + following];
        bytes[0] = (byte)((following << 6) | (total & 0xF));
        for (var index = 1; index <= following; index++)
            bytes[index] = (byte)(total >> (4 + (8 * (index - 1))));
        return bytes;
    }

    private static byte[] Path(string path)
    {
        var bytes = new List<byte>();
        if (path.StartsWith('\\'))
        {
            bytes.Add(RootPrefix);
            path = path[1..];
        }
        var segments = path.Length == 0 ? [] : path.Split('.');
        switch (segments.Length)
        {
            case 0:
                bytes.Add(0); // NullName
                break;
            case 1:
                break;
            case 2:
                bytes.Add(DualNamePrefix);
                break;
            default:
                bytes.AddRange([MultiNamePrefix, checked((byte)segments.Length)]);
                break;
        }
        foreach (var segment in segments)
        {
            if (segment.Length is 0 or > SegmentLength)
                throw new ArgumentException($"{segment} is not a name of one to four characters", nameof(path));
            bytes.AddRange(Encoding.ASCII.GetBytes(segment.PadRight(SegmentLength, '_')));
        }
        return [.. bytes];
    }
}
