using System.Text.Json;
using Hatchway.Terminal;

namespace Hatchway.Control;

/// <summary>What can be done with a running guest from outside. Any thread may call.</summary>
internal interface IGuestControl
{
    /// <summary>Its com1, for who attaches to it; null when it has none.</summary>
    AttachedConsole? Console { get; }

    /// <summary>Presses the guest's power button, once; a guest that takes too long is switched off,
    /// and so is one that is between two starts.</summary>
    void PressPowerButton();

    /// <summary>Switches it off.</summary>
    void Stop();

    /// <summary>Lets its CPUs stand still.</summary>
    /// <returns>Null, or why not all of them do.</returns>
    string? Pause();

    /// <summary>Lets them go on.</summary>
    void Resume();

    /// <summary>Writes what it is, as one object: <c>state</c>, <c>cpus</c>, <c>memory</c> in bytes,
    /// <c>seconds</c>, <c>devices</c>.</summary>
    void WriteStatus(Utf8JsonWriter json);

    /// <summary>Writes what is counted of it, as one object.</summary>
    void WriteStatistics(Utf8JsonWriter json);
}
