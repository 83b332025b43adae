namespace Hatchway.Pci.Spec;

/// <summary>Lengths of extended capabilities in bytes, header included, where the specification gives them.</summary>
public static class ExtendedLengths
{
    /// <summary>Device serial number (PCIe 6.0 §7.9.3).</summary>
    public const int DeviceSerialNumber = 12;

    /// <summary>Power budgeting (§7.8.1).</summary>
    public const int PowerBudgeting = 16;

    /// <summary>Latency tolerance reporting (§7.8.2).</summary>
    public const int LatencyTolerance = 8;

    /// <summary>Alternative routing-ID interpretation (§7.8.8).</summary>
    public const int AlternativeRoutingId = 8;

    /// <summary>Process address space identifiers (§7.8.9).</summary>
    public const int Pasid = 8;

    /// <summary>Single root I/O virtualisation (§9.3.3).</summary>
    public const int SingleRootIov = 0x40;

    /// <summary>Address translation services (§10.5.1).</summary>
    public const int AddressTranslation = 8;

    /// <summary>Page request interface (§10.5.2).</summary>
    public const int PageRequest = 16;

    /// <summary>Offset of the capability register of access control services, 16 bits (§7.7.11.2).</summary>
    public const int AccessControlAt = 4;

    /// <summary>Offset of the first control register of resizable BARs, 32 bits (§7.8.6.3).</summary>
    public const int ResizableBarControlAt = 8;

    /// <summary>Access control services: with bit 5 set, an egress control vector follows, of as many bits as bits 15:8 say, 0 for 256, in
    /// whole dwords (§7.7.11.2).</summary>
    /// <param name="register">The capability register.</param>
    public static int AccessControl(ushort register)
    {
        if ((register & (1 << 5)) == 0)
            return 8;
        var bits = register >> 8 == 0 ? 256 : register >> 8;
        return 8 + ((bits + 31) / 32 * 4);
    }

    /// <summary>Resizable BARs, also of virtual functions: 8 bytes for each BAR. Bits 7:5 have the number of BARs (§7.8.6.3).</summary>
    /// <param name="control">The first control register.</param>
    /// <returns>0 when the register gives no BAR, which is invalid.</returns>
    public static int ResizableBar(uint control) => ((control >> 5) & 0b111) is > 0 and var bars ? 4 + (8 * (int)bars) : 0;
}
