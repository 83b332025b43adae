namespace Hatchway.Machine.Devices;

/// <summary>A guest's request about its power.</summary>
public enum PowerEvent
{
    /// <summary>Switch off: ACPI S5.</summary>
    PowerOff,

    /// <summary>Reset the whole machine.</summary>
    Reset,
}

/// <summary>Receives a guest's requests to switch off or to reset. The program implements it.</summary>
public interface IPowerControl
{
    /// <summary>Requests it. A vCPU's thread calls; the call returns at once, and the virtual machine stops soon after.</summary>
    void Request(PowerEvent powerEvent);
}
