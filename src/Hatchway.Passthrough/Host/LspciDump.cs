using System.Globalization;
using Hatchway.Pci.Address;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;

namespace Hatchway.Passthrough.Host;

/// <summary>The output of <c>lspci -x</c>, <c>-xxx</c> or <c>-xxxx</c>, perhaps from another machine (lspci(8), "-F").</summary>
/// <param name="Functions">The functions in it, as far as they could be parsed.</param>
/// <param name="Warnings">A sentence for each error in it, with the line number.</param>
public sealed record LspciDump(IReadOnlyList<InspectedFunction> Functions, IReadOnlyList<string> Warnings)
{
    private const int BytesPerLine = 16;

    /// <summary>Parses a dump. Malformed parts do not throw: they are left out, with a warning.</summary>
    public static LspciDump Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var reader = new Reader();
        foreach (var line in text.AsSpan().EnumerateLines())
            reader.Take(line);
        return reader.End();
    }

    private sealed class Reader
    {
        private readonly List<InspectedFunction> _functions = [];
        private readonly HashSet<PciAddress> _addresses = [];
        private readonly List<string> _warnings = [];
        private readonly List<byte> _bytes = [];
        private PciAddress? _current;
        private bool _broken;
        private int _line;

        public void Take(ReadOnlySpan<char> line)
        {
            _line++;
            // Function lines begin with an address. Skip what lspci -v adds, which is indented, and comments.
            if (line.IsWhiteSpace() || line[0] is '\t' or ' ' or '#')
                return;
            if (line.IndexOf(": ", StringComparison.Ordinal) is >= 2 and <= 3 and var colon)
                TakeBytes(line, colon);
            else
                TakeFunction(line);
        }

        public LspciDump End()
        {
            Finish();
            return new LspciDump(_functions, _warnings);
        }

        private void TakeFunction(ReadOnlySpan<char> line)
        {
            Finish();
            var space = line.IndexOf(' ');
            var word = space < 0 ? line : line[..space];
            if (!PciAddress.TryParse(word, null, out var address))
                Warn($"'{Shown(line)}' begins with no PCI address; it and what follows are left out");
            else if (!_addresses.Add(address))
                Warn($"{address} is there twice; the second is left out");
            else
                _current = address;
        }

        private void TakeBytes(ReadOnlySpan<char> line, int colon)
        {
            if (_current is not { } address || _broken)
                return;
            if (!int.TryParse(line[..colon], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var offset)
                || offset != _bytes.Count || offset + BytesPerLine > Header.ExpressSize)
            {
                Break($"{address}: '{Shown(line[..colon])}:' where {_bytes.Count:x2} was to come; what follows is left out");
                return;
            }
            var before = _bytes.Count;
            foreach (var range in line[(colon + 1)..].Split(' '))
            {
                var word = line[(colon + 1)..][range];
                if (word.IsWhiteSpace())
                    continue;
                if (word.Length != 2 || !byte.TryParse(word, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
                {
                    Break($"{address}: '{Shown(word)}' is no byte; what follows is left out");
                    return;
                }
                _bytes.Add(value);
            }
            if (_bytes.Count - before != BytesPerLine)
                Break($"{address}: {_bytes.Count - before} bytes in a line instead of {BytesPerLine}; what follows is left out");
        }

        private void Finish()
        {
            if (_current is { } address)
            {
                // Without the whole header, too many registers are unknown.
                if (_bytes.Count < Header.End)
                    Warn($"{address}: {_bytes.Count} bytes are less than a header's {(int)Header.End}; it is left out");
                else
                    _functions.Add(InspectedFunction.Of(address, new RecordedConfigSpace(Whole())));
            }
            _current = null;
            _broken = false;
            _bytes.Clear();
        }

        // lspci prints 64, 256 or 4096 bytes. A shorter dump is cut to one of these, since part of a space may cut a capability chain.
        private byte[] Whole()
        {
            int[] sizes = [Header.ExpressSize, Header.ConventionalSize, Header.End];
            var size = Array.Find(sizes, bytes => bytes <= _bytes.Count);
            if (size != _bytes.Count && !_broken)
                Warn($"{_current}: {_bytes.Count} bytes, of which {size} are taken");
            return [.. _bytes[..size]];
        }

        private void Break(string warning)
        {
            _broken = true;
            Warn(warning);
        }

        private void Warn(string warning) => _warnings.Add($"line {_line}: {warning}");

        // Replaces control characters, which could steer the user's terminal.
        private static string Shown(ReadOnlySpan<char> text)
        {
            const int Most = 40;
            var shown = text.Length > Most ? $"{text[..Most]}..." : text.ToString();
            return string.Concat(shown.Select(static c => char.IsControl(c) ? '?' : c));
        }
    }
}
