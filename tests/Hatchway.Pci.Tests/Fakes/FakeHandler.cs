using Hatchway.Pci.Bars;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>A register handler of bytes that records accesses, and passes them on or throws when told to.</summary>
internal sealed class FakeHandler(ulong length = 64) : IBarHandler
{
    private readonly byte[] _bytes = new byte[length];

    public List<string> Accesses { get; } = [];

    public bool Recording { get; set; } = true;

    public bool Throws { get; set; }

    public bool PassesOn { get; set; }

    public ulong Read(in BarAccess access)
    {
        Note(access, "read");
        if (PassesOn)
            return access.ReadHost();
        var value = 0ul;
        for (var i = (int)access.Width - 1; i >= 0; i--)
            value = (value << 8) | _bytes[(int)access.HandlerOffset + i];
        return value;
    }

    public void Write(in BarAccess access, ulong value)
    {
        Note(access, "write");
        if (PassesOn)
            access.WriteHost(value);
        for (var i = 0; i < (int)access.Width; i++)
            _bytes[(int)access.HandlerOffset + i] = (byte)(value >> (8 * i));
    }

    private void Note(in BarAccess access, string what)
    {
        if (Recording)
            Accesses.Add($"{what} {access.Bar} {access.Offset:x} {access.HandlerOffset:x} {(int)access.Width}");
        if (Throws)
            throw new InvalidOperationException("the handler is broken");
    }
}
