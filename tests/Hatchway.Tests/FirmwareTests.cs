using Hatchway.Firmware;

namespace Hatchway.Tests;

public sealed class FirmwareTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-firmware-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Without_firmware_the_message_names_the_package() =>
        Assert.Contains(
            "package ovmf",
            Assert.Throws<UserException>(() => InstalledFirmware.Find(_folder.FullName)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Debians_firmware_is_found_with_its_variables()
    {
        Write("usr/share/OVMF/OVMF_CODE.fd", 4096);
        Write("usr/share/OVMF/OVMF_VARS.fd", 4096);
        Write("usr/share/OVMF/OVMF_CODE_4M.fd", 4096);
        Write("usr/share/OVMF/OVMF_VARS_4M.fd", 4096);

        var (code, variables) = InstalledFirmware.Find(_folder.FullName);

        Assert.EndsWith("OVMF_CODE_4M.fd", code, StringComparison.Ordinal);
        Assert.EndsWith("OVMF_VARS_4M.fd", variables, StringComparison.Ordinal);
    }

    [Fact]
    public void A_guests_own_variables_are_copied_once_and_then_kept()
    {
        var fresh = Write("VARS.fd", 8192);
        new FileInfo(fresh).IsReadOnly = true;
        var state = Path.Combine(_folder.FullName, "state/guest");

        var own = InstalledFirmware.OwnVariables(fresh, state);
        Assert.Equal(File.ReadAllBytes(fresh), File.ReadAllBytes(own));
        File.WriteAllText(own, "changed");

        Assert.Equal(own, InstalledFirmware.OwnVariables(fresh, state));
        Assert.Equal("changed", File.ReadAllText(own));
        Assert.Single(Directory.GetFiles(state));
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/b")]
    public void A_guests_name_can_not_lead_elsewhere(string name) =>
        Assert.Throws<UserException>(() => InstalledFirmware.StateFolder(name, isRoot: true));

    [Fact]
    public void Variables_that_another_guest_has_are_refused()
    {
        var options = new FirmwareOptions { Code = Write("a.fd", 4096), Variables = Write("b.fd", 4096) };
        using var first = FirmwareFiles.Open(options, "one");

        Assert.Contains("b.fd", Assert.Throws<UserException>(() => FirmwareFiles.Open(options, "two")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 4096)]
    [InlineData(4095, 4096)]
    [InlineData(4096, 100)]
    [InlineData(0x100_1000, 4096)]
    [InlineData(0x100_0000, 4096)]
    public void What_is_no_image_of_flash_or_does_not_fit_is_refused(int code, int variables) =>
        Assert.Throws<UserException>(
            () => FirmwareFiles.Open(new FirmwareOptions { Code = Write("a.fd", code), Variables = Write("b.fd", variables) }, "guest"));

    [Fact]
    public void Code_without_variables_that_belong_to_it_starts_without_any()
    {
        using var files = FirmwareFiles.Open(new FirmwareOptions { Code = Write("bios.fd", 4096) }, "guest");

        Assert.Empty(files.Variables);
        Assert.Null(files.KeptVariables);
    }

    [Fact]
    public void Missing_variables_are_told_with_the_file_to_copy()
    {
        var code = Write("OVMF_CODE.fd", 4096);
        var fresh = Write("OVMF_VARS.fd", 4096);
        var missing = Path.Combine(_folder.FullName, "mine.fd");

        var failure = Assert.Throws<UserException>(() =>
            FirmwareFiles.Open(new FirmwareOptions { Code = code, Variables = missing }, "guest"));

        Assert.Contains($"copy {fresh}", failure.Message, StringComparison.Ordinal);
    }

    private string Write(string name, int length)
    {
        var path = Path.Combine(_folder.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var content = new byte[length];
        new Random(name.Length).NextBytes(content);
        File.WriteAllBytes(path, content);
        return path;
    }
}
