using Hatchway.Passthrough.Vfio;
using Hatchway.Pci.Config;
using Hatchway.Pci.Spec;

namespace Hatchway.Passthrough.Tests.Vfio;

public sealed class VfioFunctionTests
{
    [Fact]
    public void A_function_that_is_dead_behind_the_IDs_that_VFIO_keeps_of_it_does_not_answer()
    {
        var bytes = new byte[Header.ConventionalSize];
        Array.Fill(bytes, byte.MaxValue);
        // The vendor's ID and the device's.
        new byte[] { 0x86, 0x80, 0xFB, 0x10 }.CopyTo(bytes, Header.VendorId);
        Assert.False(VfioFunction.Answers(new RecordedConfigSpace(bytes)));

        new byte[] { 1, 0, 0, 2 }.CopyTo(bytes, Header.RevisionId);
        Assert.True(VfioFunction.Answers(new RecordedConfigSpace(bytes)));
    }
}
