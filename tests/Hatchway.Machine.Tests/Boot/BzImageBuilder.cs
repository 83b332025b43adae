using System.Buffers.Binary;

namespace Hatchway.Machine.Tests.Boot;

/// <summary>A bzImage with a plausible header and a payload that shows where it was put.</summary>
internal sealed class BzImageBuilder
{
    public const int SetupSectors = 3;
    public const int PayloadOffset = (SetupSectors + 1) * 512;

    public ushort Version { get; set; } = 0x020F;

    public ushort ExtendedLoadFlags { get; set; } = 0x7F;

    public uint Alignment { get; set; } = 0x20_0000;

    public bool Relocatable { get; set; } = true;

    public uint CommandLineSize { get; set; } = 2047;

    public ulong PreferredAddress { get; set; } = 0x100_0000;

    public uint InitialSize { get; set; } = 0x40_0000;

    public uint RamdiskAddressMax { get; set; } = 0x7FFF_FFFF;

    public byte[] Payload { get; set; } = MakePayload(0x3000);

    public byte[] Build()
    {
        var image = new byte[PayloadOffset + Payload.Length];
        Payload.CopyTo(image, PayloadOffset);
        image[0x1F1] = SetupSectors;
        UInt32(image, 0x1F4, (uint)Payload.Length / 16);
        UInt16(image, 0x1FE, 0xAA55);
        image[0x201] = 0x6A;
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        UInt16(image, 0x206, Version);
        image[0x211] = 1;
        UInt32(image, 0x22C, RamdiskAddressMax);
        UInt32(image, 0x230, Alignment);
        image[0x234] = (byte)(Relocatable ? 1 : 0);
        UInt16(image, 0x236, ExtendedLoadFlags);
        UInt32(image, 0x238, CommandLineSize);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(0x258), PreferredAddress);
        UInt32(image, 0x260, InitialSize);
        return image;
    }

    public static byte[] MakePayload(int length)
    {
        var payload = new byte[length];
        for (var index = 0; index < length; index++)
            payload[index] = (byte)((index * 7) + (index >> 8) + 1);
        return payload;
    }

    private static void UInt16(byte[] image, int offset, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(offset), value);

    private static void UInt32(byte[] image, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(offset), value);
}
