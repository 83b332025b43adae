namespace Hatchway.Pci.Address;

/// <summary>The page size of mappings into a guest. The host's is the same: both are x86's smallest.</summary>
public static class GuestPage
{
    /// <summary>Bytes of a page.</summary>
    public const ulong Size = 4096;

    /// <summary>Binary logarithm of the page size.</summary>
    public const int Order = 12;

    /// <summary>The start of the page that an address is in.</summary>
    public static ulong RoundDown(ulong address) => address & ~(Size - 1);

    /// <summary>The start of the first page at or after an address, which must not lie in the last page of the 64-bit space.</summary>
    public static ulong RoundUp(ulong address) => RoundDown(address + (Size - 1));

    /// <summary>True for the start of a page.</summary>
    public static bool IsAligned(ulong address) => address % Size == 0;
}
