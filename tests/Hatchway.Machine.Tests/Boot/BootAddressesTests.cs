using Hatchway.Machine.Boot;

namespace Hatchway.Machine.Tests.Boot;

public sealed class BootAddressesTests
{
    private const ulong Page = 4096;

    [Fact]
    public void What_the_loader_writes_does_not_overlap_and_stays_in_conventional_memory()
    {
        (ulong Start, ulong Length)[] items =
        [
            (BootAddresses.DescriptorTable, 256),
            (BootAddresses.StartInfo, 56),
            (BootAddresses.ModuleList, 32),
            (BootAddresses.MemoryMapTable, 128 * 24),
            (BootAddresses.ZeroPage, Page),
            (BootAddresses.StackTop - Page, Page),
            (BootAddresses.PageMapLevel4, Page),
            (BootAddresses.PageDirectoryPointers, Page),
            (BootAddresses.PageDirectories, 4 * Page),
            (BootAddresses.CommandLine, BootAddresses.CommandLineCapacity),
        ];
        var end = Page;
        foreach (var (start, length) in items)
        {
            Assert.InRange(start, end, BootAddresses.ConventionalEnd - length);
            end = start + length;
        }
    }
}
