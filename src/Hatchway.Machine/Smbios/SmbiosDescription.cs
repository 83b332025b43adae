using Hatchway.Machine.Memory;

namespace Hatchway.Machine.Smbios;

/// <summary>The machine that the SMBIOS tables describe. Texts are printable ASCII; an empty one is left out.</summary>
/// <param name="Uuid">The system's UUID.</param>
/// <param name="Sockets">Processor sockets, 1 to 255.</param>
/// <param name="Cores">Cores in each, 1 to 255.</param>
/// <param name="Threads">Threads of each core, 1 to 255.</param>
/// <param name="Layout">Where RAM is.</param>
public sealed record SmbiosDescription(Guid Uuid, int Sockets, int Cores, int Threads, MemoryLayout Layout)
{
    /// <summary>The longest text, in characters.</summary>
    public const int LongestText = 64;

    /// <summary>The firmware.</summary>
    public SmbiosBios Bios { get; init; } = new();

    /// <summary>The system as a whole.</summary>
    public SmbiosSystem System { get; init; } = new();

    /// <summary>The main board.</summary>
    public SmbiosBoard Board { get; init; } = new();

    /// <summary>The case.</summary>
    public SmbiosChassis Chassis { get; init; } = new();
}

/// <summary>The firmware (DSP0134 2.8 §7.1). The release date has the form 12/31/2026.</summary>
public sealed record SmbiosBios(string Vendor = "", string Version = "", string ReleaseDate = "");

/// <summary>The system as a whole (DSP0134 2.8 §7.2).</summary>
public sealed record SmbiosSystem(
    string Manufacturer = "", string ProductName = "", string Version = "", string SerialNumber = "", string Sku = "", string Family = "");

/// <summary>The main board (DSP0134 2.8 §7.3).</summary>
public sealed record SmbiosBoard(
    string Manufacturer = "", string ProductName = "", string Version = "", string SerialNumber = "",
    string AssetTag = "", string Location = "");

/// <summary>The case (DSP0134 2.8 §7.4).</summary>
public sealed record SmbiosChassis(
    string Manufacturer = "", string Version = "", string SerialNumber = "", string AssetTag = "", string Sku = "");
