using System.Diagnostics;
using Hatchway.SmallGuests;
using Iced.Intel;

namespace Hatchway.Bench;

/// <summary>The program in a process of its own, with a guest of a few instructions whose com1 this object reads.
/// Disposing kills the process.</summary>
internal sealed class GuestProcess : IDisposable
{
    /// <summary>com1's data register, and its scratch register, which keeps any value written to it (16550D, table 2).</summary>
    public const ushort Com1 = 0x3F8;
    public const ushort Scratch = Com1 + 7;

    private const ulong Ram = 64 << 20;

    private readonly string _kernel = Path.GetTempFileName();
    private readonly Process _process;
    private readonly byte[] _byte = new byte[1];

    /// <param name="program">The program.</param>
    /// <param name="name">The guest's name.</param>
    /// <param name="code">The guest's code, in 32-bit protected mode.</param>
    public GuestProcess(string program, string name, Action<Assembler> code)
    {
        File.WriteAllBytes(_kernel, PvhKernel.Build(code));
        string[] words = ["run", "-c", "1", "-m", "64M", "-s", "31,lpc", "-l", "com1,stdio", "--kernel", _kernel, name];
        Started = Stopwatch.GetTimestamp();
        _process = Process.Start(new ProcessStartInfo(program, words) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
    }

    /// <summary>When the process was started, in <see cref="Stopwatch"/> ticks.</summary>
    public long Started { get; }

    /// <summary>Waits for a byte that the guest writes to com1.</summary>
    public byte Read()
    {
        _process.StandardOutput.BaseStream.ReadExactly(_byte);
        return _byte[0];
    }

    /// <summary>Bytes of the process's memory, including its share of shared pages, without the guest's RAM
    /// (proc(5), smaps).</summary>
    public long Memory()
    {
        var (kilobytes, isRam) = (0L, false);
        foreach (var line in File.ReadLines($"/proc/{_process.Id}/smaps"))
        {
            // A mapping's first line begins with its addresses, the others with a name. The guest's RAM is recognised by its size.
            if (char.IsAsciiHexDigitLower(line[0]) && line.Split('-', ' ') is [var start, var end, ..])
                isRam = Address(end) - Address(start) == Ram;
            else if (!isRam && line.StartsWith("Pss:", StringComparison.Ordinal))
                kilobytes += long.Parse(line.AsSpan(4, line.Length - 6), System.Globalization.CultureInfo.InvariantCulture);
        }
        return kilobytes * 1024;
    }

    private static ulong Address(string digits) =>
        ulong.Parse(digits, System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture);

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        File.Delete(_kernel);
    }
}
