using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>Config spaces generated from a seed.</summary>
internal static class RandomChains
{
    private static readonly CapabilityId[] Kinds =
    [
        CapabilityId.PowerManagement, CapabilityId.VitalProductData, CapabilityId.Msi, CapabilityId.PciX, CapabilityId.VendorSpecific,
        CapabilityId.VendorSpecific, CapabilityId.PciExpress, CapabilityId.Msix, CapabilityId.AdvancedFeatures,
        CapabilityId.EnhancedAllocation, CapabilityId.Null, (CapabilityId)0x0D, (CapabilityId)0x12,
    ];

    /// <summary>Random bytes; half of them with chain pointers that lead somewhere.</summary>
    public static byte[] Noise(Random random, int size)
    {
        var bytes = new byte[size];
        random.NextBytes(bytes);
        bytes[Header.Status] |= (byte)Header.StatusCapabilityList;
        if (random.Next(2) == 0)
            return bytes;
        bytes[Header.CapabilitiesPointer] |= 0x40;
        for (var at = 0x40; at < 0x100; at += 4)
            (bytes[at], bytes[at + 1]) = ((byte)Kinds[random.Next(Kinds.Length)], (byte)(random.Next(0x10, 0x40) * 4));
        return bytes;
    }

    /// <summary>
    /// Two chains that conform to the specification, with random contents: capabilities do not overlap, and are linked in another order
    /// than that of their offsets.
    /// </summary>
    public static RecordedFunction Valid(Random random)
    {
        var builder = new ConfigBuilder()
            .Bar(0, BarBits.Type64, 0x10000).Bar(2, 0, 0x4000).Bar(3, 0, 0x100).Bar(4, BarBits.Io, 0x40).Rom(0x10000);
        var standard = new List<(int At, CapabilityId Id)>();
        var place = (int)Header.End;
        foreach (var id in Shuffled(random, Kinds))
        {
            var length = id switch
            {
                CapabilityId.PciExpress => PciExpress.LengthV2,
                CapabilityId.Msi or CapabilityId.PciX => 24,
                CapabilityId.EnhancedAllocation => 16,
                _ => 12,
            };
            place += 4 * random.Next(3);
            if (random.Next(2) == 0 || place + length > Header.ConventionalSize)
                continue;
            standard.Add((place, id));
            place += length;
        }
        foreach (var (at, id) in Shuffled(random, standard))
            AddStandard(builder, random, at, id);
        AddExtended(builder, random);
        return builder.Build();
    }

    private static void AddStandard(ConfigBuilder builder, Random random, int at, CapabilityId id)
    {
        var any = (ushort)random.Next(0x10000);
        _ = id switch
        {
            CapabilityId.Msi => builder.Msi(at, random.Next(6), random.Next(2) == 0, random.Next(2) == 0),
            CapabilityId.Msix => builder.Msix(at, 1 + random.Next(64), 0, 0x2000, 0x3000),
            CapabilityId.PowerManagement => builder.Power(at, random.Next(2) == 0, random.Next(2) == 0),
            CapabilityId.PciExpress => builder.Capability(at, id).Set16(at + 2, (ushort)(random.Next(1, 3) | (random.Next(2) << 4))),
            CapabilityId.VendorSpecific => builder.Capability(at, id, (byte)random.Next(3, 13)),
            CapabilityId.Null => builder.Capability(at, id),
            _ => builder.Capability(at, id).Set16(at + 2, any),
        };
    }

    private static void AddExtended(ConfigBuilder builder, Random random)
    {
        var places = Enumerable.Range(0x41, 0xBF - 1).Select(static at => at * 16).ToArray();
        var count = random.Next(12);
        if (count == 0)
            return;
        int[] chosen = [0x100, .. Shuffled(random, places)[..count]];
        foreach (var at in chosen)
            builder.Extended(at, (ExtendedCapabilityId)random.Next(1, 0x32), random.Next(1, 16)).Set32(at + 4, (uint)random.Next());
    }

    private static T[] Shuffled<T>(Random random, IReadOnlyCollection<T> items)
    {
        T[] shuffled = [.. items];
        random.Shuffle(shuffled);
        return shuffled;
    }
}
