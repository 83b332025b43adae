namespace Hatchway.Machine.Devices;

/// <summary>A wire to an interrupt controller: one global system interrupt. The program implements it.</summary>
public interface IInterruptLine
{
    /// <summary>Drives the line; setting the same level twice is harmless. Any thread; never throws, allocates nothing.</summary>
    /// <param name="asserted">True asserts the interrupt, whatever the line's polarity.</param>
#pragma warning disable CA1716 // A keyword in Visual Basic, and the word that everybody has for this.
    void Set(bool asserted);
#pragma warning restore CA1716
}
