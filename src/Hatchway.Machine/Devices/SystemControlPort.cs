using Hatchway.Pci.Address;

namespace Hatchway.Machine.Devices;

/// <summary>Port 0x61, "port B": NMI status and the speaker's gates.</summary>
/// <remarks>
/// Intel 82371SB PIIX3, "NMISC: NMI Status and Control Register".
/// An NMI handler reads it to learn the cause; an empty bus would tell it of a parity error and a system error at once. KVM's timer
/// answers this port itself when it was made with <c>KVM_PIT_SPEAKER_DUMMY</c>; without that there is no timer 2 here, and its output
/// reads as high so that nobody waits for it. Any thread.
/// </remarks>
public sealed class SystemControlPort : IAddressTarget
{
    /// <summary>The port.</summary>
    public const ushort Port = 0x61;

    private const int Writable = 0x0F;
    private const int RefreshToggle = 1 << 4;
    private const int Timer2Output = 1 << 5;

    private int _value;
    private int _reads;

    /// <inheritdoc/>
    public ulong Read(ulong offset, AccessWidth width)
    {
        // Programs measure short delays by this bit, which changes with each refresh cycle of the RAM.
        var refresh = (Interlocked.Increment(ref _reads) & 1) != 0 ? RefreshToggle : 0;
        return (uint)(Volatile.Read(ref _value) | refresh | Timer2Output);
    }

    /// <inheritdoc/>
    public void Write(ulong offset, AccessWidth width, ulong value) => Volatile.Write(ref _value, (int)value & Writable);
}
