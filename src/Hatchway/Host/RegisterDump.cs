using System.Runtime.InteropServices;
using System.Text;
using Hatchway.Linux;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Host;

/// <summary>A range of a BAR, read register by register.</summary>
internal sealed class RegisterDump
{
    private const ulong BytesPerLine = 16;
    private const ulong DefaultLength = 256;
    private readonly PciDevice _device;
    private readonly BarIndex _bar;
    private readonly AccessWidth _width;
    private readonly ulong _start;
    private readonly ulong _end;

    public RegisterDump(PciDevice device, BarIndex bar, AccessWidth width, ulong offset, ulong? length)
    {
        var size = device.BarSize(bar);
        if (size == 0)
            throw new UserException($"{device.Host.Address}: it has no {bar}");
        var room = offset < size ? size - offset : 0;
        if (room == 0 || length > room || length == 0)
        {
            throw new UserException(
                $"{device.Host.Address}: {bar} has {size:x}h bytes: {length ?? 1:x}h from {offset:x}h on are not in it");
        }
        (_device, _bar, _width, _start) = (device, bar, width, offset);
        _end = offset + (length ?? Math.Min(room, DefaultLength));
        if (_start % (uint)width != 0 || _end % (uint)width != 0)
            throw new UserException($"a range that is read by {(int)width} bytes begins and ends at a multiple of {(int)width}");
    }

    public void Print(TextWriter output)
    {
        var values = ReadAll();
        for (var line = _start; line < _end; line = NextLine(line))
            output.WriteLine(Line(line, at => RegisterCommand.Digits(values[at], _width)));
    }

    /// <summary>Reads repeatedly until a signal comes. A terminal shows all lines, with changes marked; other outputs get only the lines
    /// that changed. It also ends when standard output has no reader any more, which the runtime's own writer does not report.</summary>
    public void Watch(TimeSpan interval, int? times)
    {
        const string ClearAndHome = "\e[H\e[2J";
        const string Marked = "\e[7m";
        const string Unmarked = "\e[0m";
        using var stop = new ManualResetEventSlim();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => End(context, stop));
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => End(context, stop));
        var terminal = FileDescriptor.StandardOutput.IsTerminal;
        Dictionary<ulong, ulong>? before = null;
        for (var time = 0; times is null || time < times; time++)
        {
            var values = ReadAll();
            using var output = new StringWriter();
            if (terminal)
                output.Write(ClearAndHome);
            for (var line = _start; line < _end; line = NextLine(line))
            {
                var changed = before is null;
                var text = Line(line, at =>
                {
                    var digits = RegisterCommand.Digits(values[at], _width);
                    if (before is null || before[at] == values[at])
                        return digits;
                    changed = true;
                    return terminal ? $"{Marked}{digits}{Unmarked}" : digits;
                });
                if (changed || terminal)
                    output.WriteLine(text);
            }
            before = values;
            if (!FileDescriptor.StandardOutput.TryWrite(Encoding.UTF8.GetBytes(output.ToString()))
                || time + 1 == times
                || stop.Wait(interval)
                || FileDescriptor.StandardOutput.IsBroken)
                return;
        }
    }

    private static void End(PosixSignalContext context, ManualResetEventSlim stop)
    {
        context.Cancel = true;
        stop.Set();
    }

    private Dictionary<ulong, ulong> ReadAll()
    {
        var values = new Dictionary<ulong, ulong>();
        for (var at = _start; at < _end; at += (uint)_width)
            values[at] = _device.ReadBar(_bar, at, _width);
        return values;
    }

    private static ulong NextLine(ulong line) => (line & ~(BytesPerLine - 1)) + BytesPerLine;

    private string Line(ulong start, Func<ulong, string> word)
    {
        var words = new List<string>();
        for (var at = start; at < Math.Min(NextLine(start), _end); at += (uint)_width)
            words.Add(word(at));
        return $"{start:x8}: {string.Join(' ', words)}";
    }
}
