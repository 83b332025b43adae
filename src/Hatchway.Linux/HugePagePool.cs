using System.Globalization;

namespace Hatchway.Linux;

/// <summary>The host's pool of huge pages of one size (Linux Documentation/admin-guide/mm/hugetlbpage.rst).</summary>
/// <param name="bytes">The size of a page.</param>
/// <param name="sysfs">Where sysfs is mounted; a folder with recorded files in tests.</param>
public sealed class HugePagePool(ulong bytes, string sysfs = "/sys")
{
    private readonly string _folder = $"{sysfs}/kernel/mm/hugepages/hugepages-{bytes >> 10}kB";

    /// <summary>The file that sets the pool's number of pages.</summary>
    public string SizeFile => $"{_folder}/nr_hugepages";

    /// <summary>True when the host has pages of this size.</summary>
    public bool Exists => Directory.Exists(_folder);

    /// <summary>All pages of the pool, used or not.</summary>
    public ulong Total => Read("nr_hugepages");

    /// <summary>Pages that can be allocated: free ones that are not reserved, and those by which the pool may still grow.</summary>
    public ulong Available => Less("free_hugepages", "resv_hugepages") + Less("nr_overcommit_hugepages", "surplus_hugepages");

    private ulong Less(string name, string taken)
    {
        var (number, less) = (Read(name), Read(taken));
        return number > less ? number - less : 0;
    }

    private ulong Read(string name) => ulong.Parse(KernelFile.Read($"{_folder}/{name}").Trim(), CultureInfo.InvariantCulture);
}
