namespace Hatchway.Machine.Devices;

/// <summary>What a guest can ask of its power supply.</summary>
public enum PowerEvent
{
    /// <summary>Off: ACPI S5.</summary>
    PowerOff,

    /// <summary>A reset of the whole machine.</summary>
    Reset,
}

/// <summary>Where requests to switch off or to reset go. The program implements it.</summary>
public interface IPowerControl
{
    /// <summary>Asks for it. Called on a vCPU's thread; returns at once, and the virtual machine stops soon after.</summary>
    void Request(PowerEvent powerEvent);
}
