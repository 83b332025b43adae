using Hatchway.Passthrough.Host;

namespace Hatchway.Passthrough.Tests.Host;

public sealed class PciIdsTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public PciIdsTests() => File.WriteAllText(_file,
        """
        # comment
        1b36  Red Hat, Inc.
        	0010  QEMU NVM Express Controller
        		1af4 1100  QEMU Virtual Machine
        8086  Intel Corporation
        	10fb  82599ES
        broken
        	also broken
        C 01  Mass storage controller
        	08  Non-Volatile memory controller
        		02  NVM Express
        C 02  Network controller
        """);

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void Names_are_those_of_vendors_that_were_asked_for_and_of_classes()
    {
        var ids = Load(_file);

        Assert.Equal("Red Hat, Inc.", ids.Vendor(0x1B36));
        Assert.Equal("QEMU NVM Express Controller", ids.Device(0x1B36, 0x10));
        Assert.Null(ids.Vendor(0x8086));
        Assert.Null(ids.Device(0x8086, 0x10FB));
        Assert.Equal("Non-Volatile memory controller", ids.Class(0x010802));
        Assert.Equal("Mass storage controller", ids.Class(0x01FF00));
        Assert.Equal("Mass storage controller", ids.BaseClass(0x010802));
        Assert.Null(ids.Class(0xFF0000));
    }

    [Fact]
    public void Without_a_file_there_are_no_names_and_the_first_file_that_is_there_counts()
    {
        Assert.Null(Load("/no/such/pci.ids").Vendor(0x1B36));
        Assert.Equal("Red Hat, Inc.", Load("/no/such/pci.ids", _file).Vendor(0x1B36));
    }

    private static PciIds Load(params string[] places) => PciIds.Load(new HashSet<int> { 0x1B36 }, places);
}
