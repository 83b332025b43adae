namespace Hatchway.Linux.Tests;

public sealed class KernelFileTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(70_001)]
    public void A_file_of_any_length_is_read_whole(int length)
    {
        var path = Path.GetTempFileName();
        try
        {
            var text = new string('x', length);
            File.WriteAllText(path, text);

            Assert.Equal(text, KernelFile.Read(path));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void A_file_of_the_kernels_which_says_no_length_is_read_whole() =>
        // The text is near the file's end, far beyond the first page.
        Assert.Contains("[stack]", KernelFile.Read("/proc/self/maps"), StringComparison.Ordinal);

    [Fact]
    public void What_can_not_be_read_is_null_or_an_error_that_says_why()
    {
        Assert.Null(KernelFile.TryRead("/proc/none"));
        Assert.Equal(Errno.ENOENT, Assert.Throws<LinuxException>(() => KernelFile.Read("/proc/none")).Errno);
        // A folder can be opened, but not read.
        Assert.Null(KernelFile.TryRead("/proc"));
        Assert.StartsWith("read /proc: ", Assert.Throws<LinuxException>(() => KernelFile.Read("/proc")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Local_time_is_as_far_from_utc_as_the_library_says() =>
        Assert.Equal(TimeProvider.System.GetLocalNow().Offset, HostClock.LocalOffset);
}
