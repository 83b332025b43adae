using System.Text;
using Hatchway.CommandLine;
using Hatchway.Firmware;
using Hatchway.Linux.Kvm;
using Hatchway.Machine;
using Hatchway.Machine.Acpi;
using Hatchway.Machine.Boot;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Smbios;
using Hatchway.Pci.Spec;
using Microsoft.Extensions.Logging;

namespace Hatchway.Vm;

/// <summary>Starts a guest from firmware, as on a PC: flash below 4 GiB, and the devices by which firmware knows QEMU's PC.</summary>
/// <remarks>
/// The machine presents itself as an i440FX, not as a Q35, because bhyve's LPC bridge is already an i440FX's PIIX3, in the slot where
/// firmware expects it. A Q35 would need another bridge in slot 31, an ECAM that firmware moves, and RAM that ends below 2.75 GiB.
/// </remarks>
internal sealed class FirmwareBoot : IDisposable
{
    private readonly List<FlashMemory> _flash = [];

    /// <summary>Adds the firmware and what it needs to a machine.</summary>
    /// <param name="files">The firmware's files; the caller closes them after this object.</param>
    /// <param name="items">The user's additional files for fw_cfg.</param>
    /// <param name="description">The machine, for its ACPI tables.</param>
    /// <param name="identity">The machine's identity, for its SMBIOS tables.</param>
    /// <param name="vm">The VM.</param>
    /// <param name="pc">The machine, with all functions that the user configured.</param>
    /// <param name="ram">Its RAM.</param>
    /// <param name="log">Receives limitations.</param>
    /// <exception cref="UserException">The firmware can't be used.</exception>
    public FirmwareBoot(
        FirmwareFiles files, IReadOnlyList<ConfigurationItem> items, AcpiDescription description, SmbiosDescription identity,
        KvmVm vm, Pc pc, GuestRam ram, ILogger log)
    {
        try
        {
            var codeStart = MemoryLayout.FlashEnd - (ulong)files.Code.Length;
            var code = new FlashMemory(vm, codeStart, files.Code, null, log);
            _flash.Add(code);
            code.Show();
            if (files.Variables.Length > 0)
            {
                var start = codeStart - (ulong)files.Variables.Length;
                var variables = new FlashMemory(vm, start, files.Variables, files.KeptVariables?.SafeFileHandle, log);
                _flash.Add(variables);
                pc.Add(new PFlash(variables), start, (ulong)files.Variables.Length);
            }
            else
            {
                log.NoVariables();
            }
            var config = new FwCfg(ram);
            FirmwareConfiguration.Write(description, config);
            SmbiosTables.Write(identity, config);
            FirmwareConfiguration.Write(description.Layout, description.Cpus, pc.Clock);
            AddItems(items, config);
            pc.Add(config);
            pc.Bus.Add(
                Piix.PowerManagementSlot, Piix.PowerManagementFunction,
                Bridges.PowerManagementRegisters(description.Layout.PowerManagementPorts));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Checks that the slots suit firmware.</summary>
    /// <exception cref="UserException">A slot that firmware needs is empty, or holds something else.</exception>
    public static void CheckSlots(IReadOnlyList<SlotOption> slots)
    {
        if (!slots.Any(static slot => slot is { Slot: 0, Function: 0, Emulation: HostBridgeSlot }))
            throw new UserException("firmware finds out at slot 0 what machine it is on: add -s 0:0,hostbridge");
        if (!slots.Any(static slot => slot.Emulation is LpcSlot))
            throw new UserException("firmware lies behind the lpc bridge: add -s 1:0,lpc");
        foreach (var slot in slots)
        {
            if (slot.Slot != Piix.PowerManagementSlot)
                continue;
            // Firmware writes interrupt routing to function 0 without checking its identity, and reads the PM timer's address from function
            // 3.
            if (slot.Function == Piix.PowerManagementFunction || (slot.Function == 0 && slot.Emulation is not LpcSlot))
            {
                throw new UserException(
                    $"slot {slot.Slot}:{slot.Function}: firmware takes it for the chip set's: "
                    + "give the device another slot, as 2:0; 1:0 is for lpc, or for none");
            }
        }
    }

    /// <summary>Removes the flash. No vCPU may run.</summary>
    public void Dispose()
    {
        foreach (var flash in _flash)
            flash.Dispose();
    }

    private static void AddItems(IReadOnlyList<ConfigurationItem> items, FwCfg config)
    {
        foreach (var item in items)
        {
            try
            {
                config.Add(item.Name, item.Path is null ? Encoding.UTF8.GetBytes(item.Text ?? "") : File.ReadAllBytes(item.Path));
            }
            catch (ArgumentException)
            {
                throw new UserException(
                    $"{item.Origin}: the name is taken, or can't be one: "
                    + $"up to {FwCfg.LongestName} ASCII characters, as opt/org.example/name");
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                throw new UserException($"{item.Origin}: can't be read: {failure.Message}");
            }
        }
    }
}
