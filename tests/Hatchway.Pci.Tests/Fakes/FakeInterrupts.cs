using Hatchway.Pci.Interrupts;

namespace Hatchway.Pci.Tests.Fakes;

/// <summary>A device's vectors, which a test can fire; it rejects calls in the wrong order.</summary>
internal sealed class FakeMessageInterrupts(string name, int count, CallLog log) : IMessageInterrupts
{
    private readonly MsiMessage?[] _unmasked = new MsiMessage?[count];
    private readonly bool[] _pending = new bool[count];

    public int Count => count;

    /// <summary>The number of enabled vectors; zero when off.</summary>
    public int Enabled { get; private set; }

    /// <summary>True when the host can't enable this kind.</summary>
    public bool Refuses { get; set; }

    /// <summary>The messages that the guest's interrupt controller received.</summary>
    public List<MsiMessage> Delivered { get; } = [];

    /// <summary>The message that a vector delivers, or null while it is masked.</summary>
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

    /// <summary>Raises an interrupt, as the device does.</summary>
    public void Fire(int vector)
    {
        Assert.InRange(vector, 0, Enabled - 1);
        if (_unmasked[vector] is { } message)
            Delivered.Add(message);
        else
            _pending[vector] = true;
    }
}

/// <summary>A line that rejects being connected twice.</summary>
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
