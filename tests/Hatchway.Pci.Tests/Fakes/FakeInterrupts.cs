using Hatchway.Pci.Interrupts;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>Vectors of a device that can be fired; it refuses calls out of order.</summary>
internal sealed class FakeMessageInterrupts(string name, int count, CallLog log) : IMessageInterrupts
{
    private readonly MsiMessage?[] _unmasked = new MsiMessage?[count];
    private readonly bool[] _pending = new bool[count];

    public int Count => count;

    /// <summary>How many vectors are on; zero when off.</summary>
    public int Enabled { get; private set; }

    /// <summary>The host can't switch this kind on.</summary>
    public bool Refuses { get; set; }

    /// <summary>What the guest's interrupt controller got.</summary>
    public List<MsiMessage> Delivered { get; } = [];

    /// <summary>The message that a vector is delivered as, or null while it is masked.</summary>
    public MsiMessage? this[int vector] => _unmasked[vector];

    public bool TryEnable(int vectors)
    {
        Assert.InRange(vectors, 1, count);
        Assert.Equal(0, Enabled);
        log.Add($"{name}.enable {vectors}");
        if (Refuses)
            return false;
        Enabled = vectors;
        return true;
    }

    public void Disable()
    {
        Assert.NotEqual(0, Enabled);
        Enabled = 0;
        Array.Clear(_unmasked);
        Array.Clear(_pending);
        log.Add($"{name}.disable");
    }

    public bool TryUnmask(int vector, MsiMessage message)
    {
        Assert.InRange(vector, 0, Enabled - 1);
        _unmasked[vector] = message;
        log.Add($"{name}.unmask {vector} {message.Address:x} {message.Data:x}");
        if (_pending[vector])
            Delivered.Add(message);
        _pending[vector] = false;
        return true;
    }

    public void Mask(int vector)
    {
        Assert.InRange(vector, 0, Enabled - 1);
        Assert.NotNull(_unmasked[vector]);
        _unmasked[vector] = null;
        log.Add($"{name}.mask {vector}");
    }

    public bool IsPending(int vector)
    {
        Assert.InRange(vector, 0, Enabled - 1);
        return _pending[vector];
    }

    /// <summary>The device raises an interrupt.</summary>
    public void Fire(int vector)
    {
        Assert.InRange(vector, 0, Enabled - 1);
        if (_unmasked[vector] is { } message)
            Delivered.Add(message);
        else
            _pending[vector] = true;
    }
}

/// <summary>A line that refuses to be connected twice.</summary>
internal sealed class FakeIntx(CallLog log) : IIntxInterrupt
{
    public bool Enabled { get; private set; }

    public bool Refuses { get; set; }

    public bool TryEnable()
    {
        Assert.False(Enabled);
        log.Add("intx.enable");
        return Enabled = !Refuses;
    }

    public void Disable()
    {
        Assert.True(Enabled);
        Enabled = false;
        log.Add("intx.disable");
    }
}
