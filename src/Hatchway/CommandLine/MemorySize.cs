using System.Globalization;

namespace Hatchway.CommandLine;

/// <summary>An amount of memory, as bhyve(8)'s <c>-m</c> takes it.</summary>
internal static class MemorySize
{
    private const ulong MiB = 1 << 20;

    /// <summary>
    /// A number with a suffix K, M, G or T (powers of 1024, either case). Without one it is bytes; a number below 1 MiB is meant in MiB, as
    /// in bhyve.
    /// </summary>
    /// <returns>Bytes.</returns>
    /// <exception cref="UserException">It is none; the message begins with <paramref name="origin"/>.</exception>
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

    /// <summary>For people: in the largest unit that gives a whole number, or in MiB.</summary>
    public static string Format(ulong bytes) => bytes switch
    {
        _ when bytes % (1ul << 30) == 0 && bytes > 0 => $"{bytes >> 30} GiB",
        _ => $"{bytes >> 20} MiB",
    };
}
