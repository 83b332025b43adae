namespace Hatchway.Pci.Address;

/// <summary>The pages that mappings into a guest are made of. The host's are the same: both are x86's smallest.</summary>
public static class GuestPage
{
    /// <summary>Bytes of a page.</summary>
    public const ulong Size = 4096;

    /// <summary>Its binary logarithm.</summary>
    public const int Order = 12;

    /// <summary>The start of the page that an address is in.</summary>
    public static ulong RoundDown(ulong address) => address & ~(Size - 1);

    /// <summary>The start of the first page at or after an address, which is not in the last page of 64 bits.</summary>
    public static ulong RoundUp(ulong address) => RoundDown(address + (Size - 1));

    /// <summary>True for the start of a page.</summary>
    public static bool IsAligned(ulong address) => address % Size == 0;
}
