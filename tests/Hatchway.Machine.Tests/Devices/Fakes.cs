using Hatchway.Machine.Devices;

namespace Hatchway.Machine.Tests.Devices;

/// <summary>A wire that remembers its level and counts its rising edges, which is what an edge-triggered input sees.</summary>
internal sealed class FakeLine : IInterruptLine
{
    public bool Asserted { get; private set; }

    public int Edges { get; private set; }

    public void Set(bool asserted)
    {
        if (asserted && !Asserted)
            Edges++;
        Asserted = asserted;
    }
}

internal sealed class FakePower : IPowerControl
{
    public List<PowerEvent> Requests { get; } = [];

    public void Request(PowerEvent powerEvent) => Requests.Add(powerEvent);
}

internal sealed class FakeSink : ICharacterSink
{
    public List<byte> Bytes { get; } = [];

    public Action? OnWrite { get; set; }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Bytes.AddRange(bytes);
        OnWrite?.Invoke();
    }
}

/// <summary>A clock that moves only when told to.</summary>
internal sealed class FakeTime(DateTimeOffset start) : TimeProvider
{
    public TimeSpan Elapsed { get; set; }

    public override long TimestampFrequency => 10_000_000;

    public override DateTimeOffset GetUtcNow() => start + Elapsed;

    public override long GetTimestamp() => Elapsed.Ticks;
}
