using System.Text.Json;
using Hatchway.Terminal;

namespace Hatchway.Control;

/// <summary>The operations on a running guest from outside. Any thread may call.</summary>
internal interface IGuestControl
{
    /// <summary>Its com1, for a client to attach to; null when it has none.</summary>
    AttachedConsole? Console { get; }

    /// <summary>Presses the guest's power button, once. A guest that takes too long is switched off, and so is one that is
    /// restarting.</summary>
    void PressPowerButton();

    /// <summary>Switches the guest off.</summary>
    void Stop();

    /// <summary>Pauses its CPUs.</summary>
    /// <returns>Null, or why not all of them are paused.</returns>
    string? Pause();

    /// <summary>Resumes its CPUs.</summary>
    void Resume();

    /// <summary>Writes its status as one object: <c>state</c>, <c>cpus</c>, <c>memory</c> in bytes,
    /// <c>seconds</c>, <c>devices</c>.</summary>
    void WriteStatus(Utf8JsonWriter json);

    /// <summary>Writes its counters as one object.</summary>
    void WriteStatistics(Utf8JsonWriter json);
}
