using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Lab.Tests;

/// <summary>Guests that switch a device from one kind of interrupt to another while it interrupts.</summary>
internal static partial class TinyGuest
{
    private const int ViaIntx = 0x41;
    private const int ViaMsi = 0x42;
    private const int ViaMsix = 0x43;
    private const uint IntxDisable = 1 << 10;
    private const int RoundsAt = 0x20_5000;

    // QEMU's NEC xHCI: offsets of its capabilities, and registers of BAR0 (eXtensible Host Controller Interface 1.2, chapter 5).
    private const byte XhciMsi = 0x70;
    private const byte XhciMsix = 0x90;
    private const int XhciCommand = 0x40;
    private const int XhciInterrupter = 0x1020;
    private const int XhciTable = 0x3000;
    private const int XhciPending = 0x3800;
    private const int XhciRing = 0x30_0000;
    private const int XhciSegments = 0x31_0000;

    /// <summary>
    /// Switches edu repeatedly between INTx and MSI, and INTx itself off and on. In each state, and across each switch, edu interrupts
    /// once; each interrupt must come once, with the vector of the kind in which it was raised.
    /// </summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="input">The I/O APIC input of the pin.</param>
    /// <param name="rounds">The number of rounds.</param>
    public static byte[] SwitchingEdu(int slot, int input, uint rounds) => Counting(
        (a, wrong) =>
        {
            PlaceBar0(a, slot, is64Bit: false);
            RouteIntx(a, input, ViaIntx);
            WriteConfig(a, slot, EduMsi + 4, ApicAddress);
            WriteConfig(a, slot, EduMsi + 8, 0);
            WriteConfig(a, slot, EduMsi + 12, ViaMsi);
            void Raise() => a.mov(__dword_ptr[ebx + EduRaise], 1);
            void Acknowledge() => a.mov(__dword_ptr[ebx + EduAcknowledge], 1);
            void Msi(bool on) => WriteConfig(a, slot, EduMsi, on ? 1u << 16 : 0);
            Repeat(a, rounds, () =>
            {
                Once(a, ViaIntx, Raise, wrong);
                // Held back while the pin is off: only the status register's interrupt bit shows it.
                WriteConfig(a, slot, 4, IntxDisable | 6);
                Raise();
                ReadConfig(a, slot, 4);
                CompareCounts(a, wrong);
                Once(a, ViaIntx, () => WriteConfig(a, slot, 4, 6), wrong);
                Across(a, ViaIntx, Raise, () => Msi(true), Acknowledge, wrong);
                Once(a, ViaMsi, Raise, wrong);
                Across(a, ViaMsi, Raise, () => Msi(false), Acknowledge, wrong);
            });
        },
        static a => a.mov(__dword_ptr[ebx + EduAcknowledge], 1));

    /// <summary>The same with an xHCI, from INTx to MSI-X to MSI to MSI-X to INTx.</summary>
    /// <param name="slot">Device number on bus 0.</param>
    /// <param name="input">The I/O APIC input of the pin.</param>
    /// <param name="rounds">The number of rounds.</param>
    public static byte[] SwitchingXhci(int slot, int input, uint rounds) => Counting(
        (a, wrong) =>
        {
            StartXhci(a, slot);
            RouteIntx(a, input, ViaIntx);
            WriteConfig(a, slot, XhciMsi + 4, ApicAddress);
            WriteConfig(a, slot, XhciMsi + 8, 0);
            WriteConfig(a, slot, XhciMsi + 12, ViaMsi);
            WriteEntry(a, ViaMsix);
            void Raise() => RaiseXhci(a);
            void Acknowledge() => QuietXhci(a);
            void Msi(bool on) => WriteConfig(a, slot, XhciMsi, on ? 1u << 16 : 0);
            void Msix(bool on) => WriteConfig(a, slot, XhciMsix, on ? 1u << 31 : 0);
            Repeat(a, rounds, () =>
            {
                Once(a, ViaIntx, Raise, wrong);
                Across(a, ViaIntx, Raise, () => Msix(true), Acknowledge, wrong);
                Once(a, ViaMsix, Raise, wrong);
                Across(a, ViaMsix, Raise, () => { Msix(false); Msi(true); }, Acknowledge, wrong);
                Once(a, ViaMsi, Raise, wrong);
                Across(a, ViaMsi, Raise, () => { Msi(false); Msix(true); }, Acknowledge, wrong);
                Across(a, ViaMsix, Raise, () => Msix(false), Acknowledge, wrong);
            });
        },
        QuietXhci);

    // Executes the rounds, then powers off.
    private static void Repeat(Assembler a, uint rounds, Action round)
    {
        var again = a.CreateLabel();
        a.mov(__dword_ptr[RoundsAt], rounds);
        a.xor(esi, esi);
        a.sti();
        a.Label(ref again);
        round();
        a.dec(__dword_ptr[RoundsAt]);
        a.jne(again);
        PowerOff(a);
    }

    private static void Once(Assembler a, int vector, Action raise, Label wrong)
    {
        Expect(a, vector);
        raise();
        AwaitExpected(a, wrong);
    }

    // The CPU takes the interrupt that was raised in the old kind after the new one is on.
    private static void Across(Assembler a, int vector, Action raise, Action change, Action acknowledge, Label wrong)
    {
        Expect(a, vector);
        a.cli();
        raise();
        change();
        acknowledge();
        a.sti();
        AwaitExpected(a, wrong);
    }

    // Sets up an event ring of one segment with 16 entries, and enables interrupts.
    private static void StartXhci(Assembler a, int slot)
    {
        const uint RunAndInterrupt = 0b101;
        PlaceBar0(a, slot, is64Bit: true);
        a.mov(__dword_ptr[XhciSegments], XhciRing);
        a.mov(__dword_ptr[XhciSegments + 4], 0);
        a.mov(__dword_ptr[XhciSegments + 8], 16);
        a.mov(__dword_ptr[ebx + XhciInterrupter + 0x08], 1);
        a.mov(__dword_ptr[ebx + XhciInterrupter + 0x10], XhciSegments);
        a.mov(__dword_ptr[ebx + XhciInterrupter + 0x14], 0);
        a.mov(__dword_ptr[ebx + XhciInterrupter + 0x1C], 0);
        a.mov(__dword_ptr[ebx + XhciInterrupter], 0b11);
        a.mov(__dword_ptr[ebx + XhciCommand], RunAndInterrupt);
    }

    // Sets the dequeue pointer to another entry than the controller's: then the ring is not empty, which interrupts (5.5.2.3.3).
    private static void RaiseXhci(Assembler a)
    {
        const int HandlerBusy = 8;
        a.mov(__dword_ptr[ebx + XhciInterrupter + 0x18], XhciRing + 16 + HandlerBusy);
    }

    // Clears the interrupt pending bit and keeps the enable bit.
    private static void QuietXhci(Assembler a) => a.mov(__dword_ptr[ebx + XhciInterrupter], 0b11);

    // Writes entry 0 of the MSI-X table, unmasked.
    private static void WriteEntry(Assembler a, int vector)
    {
        a.mov(__dword_ptr[ebx + XhciTable], ApicAddress);
        a.mov(__dword_ptr[ebx + XhciTable + 4], 0);
        a.mov(__dword_ptr[ebx + XhciTable + 8], vector);
        a.mov(__dword_ptr[ebx + XhciTable + 12], 0);
    }
}
