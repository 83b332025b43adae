using System.Globalization;
using Hatchway.Passthrough.Host;
using Hatchway.Pci.Address;

namespace Hatchway.Passthrough.Tests.Host;

public sealed class HostInterruptsTests
{
    private const string Table =
        """
                   CPU0       CPU1
          0:         29          0   IO-APIC   2-edge      timer
         25:          7          5   PCI-MSI 98304-edge      vfio-msix[0](0000:00:06.0)
         26:        100          0   PCI-MSI 98305-edge      vfio-msix[1](0000:00:06.0)
         27:          3          0   PCI-MSI 98304-edge      vfio-msix[0](0000:00:06.1)
         28:          9          0   IO-APIC  20-fasteoi   vfio-intx(0000:00:08.0)
         29:         11          0   PCI-MSI 98305-edge      nvme0q0(0000:00:09.0)
        NMI:          0          0   Non-maskable interrupts
        """;

    [Theory]
    [InlineData("0000:00:06.0", 112)]
    [InlineData("0000:00:06.1", 3)]
    [InlineData("0000:00:08.0", 9)]
    [InlineData("0000:00:09.0", 0)]
    [InlineData("0000:00:0a.0", 0)]
    public void Interrupts_are_summed_over_vectors_and_CPUs_of_a_device_that_VFIO_has(string address, long expected)
    {
        using var table = new StringReader(Table);

        Assert.Equal(expected, HostInterrupts.Count(table, PciAddress.Parse(address, CultureInfo.InvariantCulture)));
    }
}
