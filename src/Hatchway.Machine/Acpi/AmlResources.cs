using System.Numerics;
using static Hatchway.Machine.Acpi.AcpiTable;

namespace Hatchway.Machine.Acpi;

/// <summary>A resource descriptor, encoded (ACPI 6.5 §6.4).</summary>
internal readonly record struct AmlResource(ReadOnlyMemory<byte> Bytes);

/// <summary>Encodes resource descriptors.</summary>
internal static class AmlResources
{
    private const byte IrqTag = 0x22;
    private const byte IoTag = 0x47;
    private const byte EndTag = 0x79;
    private const byte Memory32FixedTag = 0x86;
    private const byte DWordAddressTag = 0x87;
    private const byte WordAddressTag = 0x88;
    private const byte QWordAddressTag = 0x8A;

    private const byte Decode16 = 1;
    private const byte ReadWrite = 1;
    private const byte EntireIoRange = 3;
    private const byte NonCacheableReadWrite = 1;

    // Bit 0 clear: a producer, which passes the range on to devices behind it. Bit 1 clear: positive decode. Bits 2 and 3: fixed ends.
    private const byte FixedProducer = 0b1100;

    private enum AddressKind : byte
    {
        Memory = 0,
        Io = 1,
        Bus = 2,
    }

    /// <summary>A buffer of descriptors with an end tag. The tag's checksum of zero means that there is none.</summary>
    public static AmlTerm Template(params ReadOnlySpan<AmlResource> resources)
    {
        var bytes = new List<byte>();
        foreach (var resource in resources)
            bytes.AddRange(resource.Bytes.Span);
        bytes.AddRange([EndTag, 0]);
        return Aml.Buffer([.. bytes]);
    }

    /// <summary>An ISA interrupt: edge-triggered, active high, not shared.</summary>
    public static AmlResource Irq(int line) => new((byte[])[IrqTag, .. LittleEndian((ushort)(1 << line))]);

    /// <summary>Ports that a device decodes itself.</summary>
    public static AmlResource Io(ushort first, byte count) =>
        new((byte[])[IoTag, Decode16, .. LittleEndian(first), .. LittleEndian(first), 1, count]);

    /// <summary>Memory that a device decodes itself.</summary>
    public static AmlResource Memory32Fixed(uint start, uint length) =>
        new((byte[])[Memory32FixedTag, .. LittleEndian((ushort)9), ReadWrite, .. LittleEndian(start), .. LittleEndian(length)]);

    /// <summary>Bus numbers that a bridge passes on.</summary>
    public static AmlResource WordBusNumber(ushort first, ushort last) => Address(WordAddressTag, AddressKind.Bus, 0, first, last);

    /// <summary>Ports that a bridge passes on.</summary>
    public static AmlResource WordIo(ushort first, ushort last) => Address(WordAddressTag, AddressKind.Io, EntireIoRange, first, last);

    /// <summary>Memory that a bridge passes on. Never marked prefetchable, or Linux would put only prefetchable BARs there.</summary>
    public static AmlResource DWordMemory(uint first, uint last) =>
        Address(DWordAddressTag, AddressKind.Memory, NonCacheableReadWrite, first, last);

    /// <summary>As <see cref="DWordMemory"/>, above 4 GiB.</summary>
    public static AmlResource QWordMemory(ulong first, ulong last) =>
        Address(QWordAddressTag, AddressKind.Memory, NonCacheableReadWrite, first, last);

    // Granularity, first, last, translation offset and length, each as wide as the tag says.
    private static AmlResource Address<T>(byte tag, AddressKind kind, byte kindFlags, T first, T last)
        where T : IBinaryInteger<T>
    {
        byte[] range = [.. LittleEndian(first), .. LittleEndian(last)];
        byte[] numbers = [.. LittleEndian(T.Zero), .. range, .. LittleEndian(T.Zero), .. LittleEndian(last - first + T.One)];
        return new((byte[])[tag, .. LittleEndian((ushort)(3 + numbers.Length)), (byte)kind, FixedProducer, kindFlags, .. numbers]);
    }
}
