namespace Hatchway.Passthrough.Host;

/// <summary>Formats sizes for people.</summary>
public static class Sizes
{
    private static readonly string[] Units = [" bytes", " KiB", " MiB", " GiB", " TiB", " PiB"];

    /// <summary>Formats a size in the largest unit that gives a whole number, as <c>16 KiB</c> or <c>100 bytes</c>.</summary>
    public static string Format(ulong bytes)
    {
        var unit = 0;
        while (unit < Units.Length - 1 && bytes >= 1024 && bytes % 1024 == 0)
        {
            bytes >>= 10;
            unit++;
        }
        return $"{bytes}{Units[unit]}";
    }
}
