using Hatchway.Passthrough;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

// Asks QEMU's edu device (its documentation: docs/specs/edu.rst) who it is and whether it lives: what is written to its liveness
// register reads back inverted.
if (args is not [var text] || !PciAddress.TryParse(text, null, out var address))
{
    Console.Error.WriteLine("usage: Registers ADDRESS, as 0000:00:08.0, of an edu device that no driver of the host has");
    return 4;
}

var bar = new BarIndex(0);
const ulong Identity = 0x00;
const ulong Liveness = 0x04;
const uint Question = 0x12345678;

try
{
    using var device = PciDevice.Open(address);
    Console.WriteLine($"{device.Host.Vendor:x4}:{device.Host.Device:x4}, {device.BarSize(bar)} bytes of registers");
    Console.WriteLine($"identity {device.ReadBar(bar, Identity, AccessWidth.Dword):x8}");

    device.WriteBar(bar, Liveness, AccessWidth.Dword, Question);
    var answer = device.ReadBar(bar, Liveness, AccessWidth.Dword);
    Console.WriteLine($"asked {Question:x8}, answered {answer:x8}");
    return answer == (~Question & uint.MaxValue) ? 0 : 1;
}
catch (PassthroughException failure)
{
    // One line that says what is wrong and what to do.
    Console.Error.WriteLine(failure.Message);
    return 4;
}
