using System.Buffers.Binary;
using Hatchway.Pci.Address;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>One write that reached the host function's config space.</summary>
internal readonly record struct HostWrite(int Offset, int Width, uint Value);

/// <summary>A config space that behaves like a device's: few bits are writable. It rejects accesses that the contract forbids.</summary>
internal sealed class FakeConfigSpace : IHostConfigSpace
{
    private readonly byte[] _writable;
    private readonly CallLog _log;

    public FakeConfigSpace(byte[] bytes, CallLog log)
    {
        Bytes = bytes;
        _log = log;
        _writable = new byte[bytes.Length];
        BinaryPrimitives.WriteUInt16LittleEndian(_writable.AsSpan(Header.Command), 0x0547);
        _writable[0x0C] = _writable[0x0D] = _writable[Header.InterruptLine] = 0xFF;
        if (CapabilityWalker.Walk(this).Find(CapabilityId.PowerManagement) is { Length: >= 8 } power)
            PowerControl = power.Offset + PowerManagement.ControlStatus;
    }

    public byte[] Bytes { get; }

    public List<HostWrite> Writes { get; } = [];

    /// <summary>True when the device does not answer any more.</summary>
    public bool Gone { get; set; }

    /// <summary>The offset of the power state's register, or zero.</summary>
    public int PowerControl { get; }

    public int Size => Bytes.Length;

    public uint Read(ConfigOffset offset, AccessWidth width)
    {
        Check(offset, width);
        if (Gone)
            return (uint)width.AllOnes();
        var value = 0u;
        for (var i = (int)width - 1; i >= 0; i--)
            value = (value << 8) | Bytes[offset.Value + i];
        return value;
    }

    public void Write(ConfigOffset offset, AccessWidth width, uint value)
    {
        Check(offset, width);
        Assert.Equal(0u, value & ~(uint)width.AllOnes());
        Writes.Add(new HostWrite(offset.Value, (int)width, value));
        _log.Add($"config.write {offset.Value:x3} {(int)width} {value:x}");
        for (var i = 0; i < (int)width; i++)
        {
            var at = offset.Value + i;
            Bytes[at] = (byte)((Bytes[at] & (byte)~_writable[at]) | ((byte)(value >> (8 * i)) & _writable[at]));
        }
        if (PowerControl != 0 && offset.Value <= PowerControl && PowerControl < offset.Value + (int)width)
            SetPowerState((byte)(value >> (8 * (PowerControl - offset.Value))) & 3);
    }

    // D1 and D2 are optional: a write of an unsupported state is discarded (PCIe 6.0 §7.5.2.2).
    private void SetPowerState(int state)
    {
        var capabilities = Bytes[PowerControl - 1];
        if ((state == 1 && (capabilities & 0x02) == 0) || (state == 2 && (capabilities & 0x04) == 0))
            return;
        Bytes[PowerControl] = (byte)((Bytes[PowerControl] & ~3) | state);
    }

    private void Check(ConfigOffset offset, AccessWidth width)
    {
        if (width is not (AccessWidth.Byte or AccessWidth.Word or AccessWidth.Dword)
            || offset.Value % (int)width != 0 || offset.Value + (int)width > Size)
            Assert.Fail($"{offset}, {(int)width} bytes, is no register");
    }
}
