namespace Hatchway.Lab.Tests;

/// <summary>The Debian package, installed in an emulated host.</summary>
public sealed class PackageTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(5);

    [Fact]
    public void The_package_installs_and_brings_all_that_the_program_needs()
    {
        using var host = new LabHost("--drivers", "-d", "nvme");
        Repository.MakePackage(host.Shared.FullName);

        // Without triggers: indexing all manual pages takes a while under emulation.
        host.Check($"dpkg -i --no-triggers {host.Shared}/*.deb", Bound);

        Assert.Equal("/usr/bin/hatchway", host.Check("command -v hatchway"));
        Assert.StartsWith(
            "0000:00:06.0 is reserved, taken from nvme",
            host.Check("hatchway host reserve --persist 0/6/0", Bound), StringComparison.Ordinal);
        Assert.Contains("has 0000:00:06.0 no more", host.Check("hatchway host release --persist 0/6/0", Bound), StringComparison.Ordinal);
        Assert.Contains("--own-page", host.Check(
            """
            bash -c '. /usr/share/bash-completion/completions/hatchway
                COMP_LINE="hatchway host reserve --o" COMP_POINT=25 COMP_WORDS=(hatchway host reserve --o) COMP_CWORD=3
                _hatchway; echo "${COMPREPLY[@]}"'
            """), StringComparison.Ordinal);
        Assert.Equal(
            "/usr/lib/hatchway/override /usr/lib/systemd/system/hatchway-reserve.service /usr/lib/udev/rules.d/60-hatchway.rules",
            host.Check("ls /usr/lib/udev/rules.d/60-hatchway.rules "
                + "/usr/lib/systemd/system/sysinit.target.wants/../hatchway-reserve.service "
                + "/usr/lib/hatchway/override | sed 's#sysinit.target.wants/../##' | sort | xargs echo"));
        // Every name under which a manual page is installed.
        host.Check("for name in run host config bar ps stop kill pause resume stats; "
            + "do zcat /usr/share/man/man1/hatchway-$name.1.gz > /dev/null || exit 1; done");
        host.Check("dpkg -r --no-triggers hatchway; ! command -v hatchway", Bound);
    }
}
