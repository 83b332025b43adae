using System.Globalization;

namespace Hatchway.CommandLine;

/// <summary>An amount of memory, in the form of bhyve(8)'s <c>-m</c>.</summary>
internal static class MemorySize
{
    private const ulong MiB = 1 << 20;

    /// <summary>
    /// Reads a number with a suffix K, M, G or T (powers of 1024, either case). Without a suffix it is in bytes; but below 1 MiB it is in
    /// MiB, as in bhyve.
    /// </summary>
    /// <returns>Bytes.</returns>
    /// <exception cref="UserException">The text is no such number; the message begins with <paramref name="origin"/>.</exception>
    public static ulong Parse(string origin, string text)
    {
        var suffix = text.Length > 0 ? char.ToUpperInvariant(text[^1]) : '\0';
        var shift = suffix switch { 'K' => 10, 'M' => 20, 'G' => 30, 'T' => 40, _ => 0 };
        var digits = shift == 0 ? text : text[..^1];
        if (!ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > ulong.MaxValue >> shift)
            throw new UserException($"{origin}: not an amount of memory: write a number with K, M, G or T, as 256M");
        var bytes = number << shift;
        return shift == 0 && bytes < MiB ? bytes * MiB : bytes;
    }

    /// <summary>Formats for people: in GiB when that is a whole number, else in MiB.</summary>
    public static string Format(ulong bytes) => bytes switch
    {
        _ when bytes % (1ul << 30) == 0 && bytes > 0 => $"{bytes >> 30} GiB",
        _ => $"{bytes >> 20} MiB",
    };
}
