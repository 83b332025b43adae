using System.Globalization;
using Hatchway.CommandLine;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Host;

/// <summary><c>hatchway config</c> and <c>hatchway bar</c>: accesses to a device's registers, one at a time.</summary>
internal static class RegisterCommand
{
    private const string ConfigHelp =
        """
        usage: hatchway config read BDF OFFSET[.b|.w|.l]
               hatchway config write BDF OFFSET[.b|.w|.l] VALUE

        Reads or writes a register of a PCI function's config space: a byte (.b, as without), a word (.w) or a double word (.l).
        Numbers are hexadecimal. Either needs the same right: root, or for a function bound to vfio-pci that to its group's file.
        """;

    private const string BarHelp =
        """
        usage: hatchway bar read BDF BAR OFFSET [--width 1|2|4|8]
               hatchway bar write BDF BAR OFFSET VALUE [--width 1|2|4|8]
               hatchway bar dump BDF BAR [OFFSET [LENGTH]] [--width 1|2|4|8] [--watch]

        Reads or writes a register in BAR 0 to 5 of a PCI function, memory or I/O ports, by one access of that width (4 without).
        Numbers are hexadecimal. A BAR that a driver of the host has is refused. A read can have effects, and needs the same right as a
        write: root, or for a function bound to vfio-pci that to its group's file. VFIO resets a function when it is opened and closed.
        """;

    public static readonly Option Width = new("width", "BYTES", "bytes of one access: 1, 2, 4 or 8; 4 by default");

    public static readonly Option[] DumpOptions =
    [
        Width,
        new("watch", null, "read again and again, and mark what has changed, until Ctrl-C"),
        new("interval", "SECONDS", "between two reads of --watch; 1 by default"),
        new("count", "TIMES", "how often --watch reads"),
    ];

    public static ExitStatus Config(AccessDirection direction, ReadOnlySpan<string> words)
    {
        var arguments = new Arguments("config", words, []);
        if (arguments.WantsHelp)
            return Arguments.PrintHelp(ConfigHelp, []);
        var address = arguments.Address(0);
        var (offset, width) = ConfigRegister(arguments.Operand(1, "an offset"));
        return Execute(direction, arguments, address, bar: null, offset, width, valueAt: 2);
    }

    public static ExitStatus Bar(AccessDirection direction, ReadOnlySpan<string> words)
    {
        var arguments = new Arguments("bar", words, [Width]);
        if (arguments.WantsHelp)
            return Arguments.PrintHelp(BarHelp, DumpOptions);
        var address = arguments.Address(0);
        var bar = BarOf(arguments);
        var offset = Arguments.Hexadecimal(arguments.Operand(2, "an offset"), "offset");
        return Execute(direction, arguments, address, bar, offset, WidthOf(arguments), valueAt: 3);
    }

    /// <summary>Formats a register's value with all digits of its width.</summary>
    public static string Digits(ulong value, AccessWidth width) => value.ToString($"x{2 * (int)width}", CultureInfo.InvariantCulture);

    private static ExitStatus Execute(
        AccessDirection direction, Arguments arguments, PciAddress address, BarIndex? bar, ulong offset, AccessWidth width, int valueAt)
    {
        var isRead = direction == AccessDirection.Read;
        arguments.NoMoreThan(isRead ? valueAt : valueAt + 1);
        var value = isRead ? 0 : Arguments.Hexadecimal(arguments.Operand(valueAt, "a value"), "value");
        using var device = PciDevice.Open(address);
        var result = device.Access(new RegisterAccess(direction, bar, offset, width, value));
        if (isRead)
            Console.Out.WriteLine($"0x{Digits(result, width)}");
        return CommandStatus.Success;
    }

    public static ExitStatus Dump(ReadOnlySpan<string> words)
    {
        var arguments = new Arguments("bar", words, DumpOptions);
        if (arguments.WantsHelp)
            return Arguments.PrintHelp(BarHelp, DumpOptions);
        arguments.NoMoreThan(4);
        var (bar, width) = (BarOf(arguments), WidthOf(arguments));
        var (interval, times) = (Interval(arguments.Value("interval")), Times(arguments.Value("count")));
        using var device = PciDevice.Open(arguments.Address(0));
        var offset = arguments.Count > 2 ? Arguments.Hexadecimal(arguments.Operand(2, "an offset"), "offset") : 0;
        var length = arguments.Count > 3 ? Arguments.Hexadecimal(arguments.Operand(3, "a length"), "length") : (ulong?)null;
        var dump = new RegisterDump(device, bar, width, offset, length);
        if (arguments.Has("watch"))
            dump.Watch(interval, times);
        else
            dump.Print(Console.Out);
        return CommandStatus.Success;
    }

    private static (ulong Offset, AccessWidth Width) ConfigRegister(string text)
    {
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        var width = (dot < 0 ? ".b" : text[dot..].ToLowerInvariant()) switch
        {
            ".b" => AccessWidth.Byte,
            ".w" => AccessWidth.Word,
            ".l" => AccessWidth.Dword,
            var suffix => throw new UserException($"offset '{text}': '{suffix}' is no width: .b, .w or .l"),
        };
        return (Arguments.Hexadecimal(dot < 0 ? text : text[..dot], "offset"), width);
    }

    private static BarIndex BarOf(Arguments arguments)
    {
        var text = arguments.Operand(1, "a BAR's number");
        return text is [>= '0' and <= '5' and var digit]
            ? new BarIndex((byte)(digit - '0'))
            : throw new UserException($"'{text}' is no BAR: 0 to 5");
    }

    private static AccessWidth WidthOf(Arguments arguments) => arguments.Value("width") switch
    {
        "1" => AccessWidth.Byte,
        "2" => AccessWidth.Word,
        null or "4" => AccessWidth.Dword,
        "8" => AccessWidth.Qword,
        var text => throw new UserException($"--width {text}: 1, 2, 4 or 8 bytes"),
    };

    private static TimeSpan Interval(string? text) => text is null
        ? TimeSpan.FromSeconds(1)
        : double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)
            && seconds is >= 0 and <= 3600
                ? TimeSpan.FromSeconds(seconds)
                : throw new UserException($"--interval {text}: seconds are wanted, as 0.5, at most 3600");

    private static int? Times(string? text) => text is null
        ? null
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var times) && times > 0
            ? times
            : throw new UserException($"--count {text}: a number from 1 on is wanted");
}
