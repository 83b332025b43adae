namespace Hatchway.Pci.Spec;

/// <summary>The names of capabilities (PCI Code and ID Assignment Specification 1.15 §2 and §3).</summary>
public static class CapabilityNames
{
    private static readonly string[] Standard =
    [
        "null",                             // 00h
        "power management",
        "AGP",
        "vital product data",
        "slot identification",              // 04h
        "MSI",
        "CompactPCI hot swap",
        "PCI-X",
        "HyperTransport",                   // 08h
        "vendor-specific",
        "debug port",
        "CompactPCI resource control",
        "PCI hot plug",                     // 0Ch
        "bridge subsystem ID",
        "AGP 8x",
        "secure device",
        "PCI Express",                      // 10h
        "MSI-X",
        "SATA",
        "advanced features",
        "enhanced allocation",              // 14h
        "flattening portal bridge",
    ];

    private static readonly string[] Extended =
    [
        "null",                             // 00h
        "advanced error reporting",
        "virtual channel",
        "device serial number",
        "power budgeting",                  // 04h
        "root complex link declaration",
        "root complex internal link control",
        "root complex event collector association",
        "multi-function virtual channel",   // 08h
        "virtual channel",
        "root complex register block",
        "vendor-specific",
        "configuration access correlation", // 0Ch
        "access control services (ACS)",
        "alternative routing-ID (ARI)",
        "address translation (ATS)",
        "SR-IOV",                           // 10h
        "MR-IOV",
        "multicast",
        "page request (PRI)",
        "AMD's, reserved",                  // 14h
        "resizable BAR",
        "dynamic power allocation",
        "TPH requester",
        "latency tolerance reporting",      // 18h
        "secondary PCI Express",
        "protocol multiplexing",
        "process address space (PASID)",
        "LN requester",                     // 1Ch
        "downstream port containment",
        "L1 PM substates",
        "precision time measurement",
        "PCI Express over M-PHY",           // 20h
        "FRS queueing",
        "readiness time reporting",
        "designated vendor-specific",
        "resizable BAR of virtual functions", // 24h
        "data link feature",
        "physical layer 16 GT/s",
        "lane margining",
        "hierarchy ID",                     // 28h
        "native PCIe enclosure management",
        "physical layer 32 GT/s",
        "alternate protocol",
        "system firmware intermediary",     // 2Ch
        "shadow functions",
        "data object exchange",
        "device 3",
        "integrity and data encryption",    // 30h
        "physical layer 64 GT/s",
        "flit logging",
        "flit performance measurement",
        "flit error injection",             // 34h
    ];

    /// <summary>A capability's name, or its number where it has none.</summary>
    /// <param name="id">Its identifier.</param>
    /// <param name="isExtended">True for an extended capability.</param>
    public static string Of(ushort id, bool isExtended)
    {
        var names = isExtended ? Extended : Standard;
        return id < names.Length ? names[id] : $"unknown ({id:x2}h)";
    }
}
