using System.Text;
using Hatchway.Machine.Acpi;
using Hatchway.Machine.Boot;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Tests.Acpi;
using Hatchway.Machine.Tests.Devices;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Boot;

public sealed class FirmwareConfigurationTests
{
    private static readonly MemoryLayout s_layout = MemoryLayout.ForFirmware(5ul << 30, 40);
    private readonly Dictionary<string, byte[]> _files = [];

    public FirmwareConfigurationTests()
    {
        var config = new FwCfg(new ArrayMemory(4096));
        FirmwareConfiguration.Write(new AcpiDescription(3, s_layout, [1], [0, 1, 4]) { HasFwCfg = true }, config);
        Cpus = [.. Item(config, FwCfg.CpuCountKey, 2)];
        var directory = Item(config, 0x19, 4 + (64 * 4));
        for (var at = 4; at < directory.Length; at += 64)
        {
            var entry = directory.AsSpan(at, 64);
            var name = Encoding.ASCII.GetString(entry[8..]).TrimEnd('\0');
            _files[name] = Item(config, (ushort)((entry[4] << 8) | entry[5]), (entry[1] << 16) | (entry[2] << 8) | entry[3]);
        }
    }

    private byte[] Cpus { get; }

    [Fact]
    public void Firmware_is_told_of_all_CPUs() => Assert.Equal([3, 0], Cpus);

    [Fact]
    public void The_loaders_script_gives_the_tables_that_a_kernel_gets_directly()
    {
        const ulong At = 0xE_0040;
        var blocks = LoaderModel.Run(_files, At);
        var direct = new ArrayMemory(2 << 20);
        AcpiTables.Write(new AcpiDescription(3, s_layout, [1], [0, 1, 4]) { HasFwCfg = true }, direct);

        Assert.Equal(direct.Slice(At, blocks["etc/acpi/tables"].Length).ToArray(), blocks["etc/acpi/tables"]);
        Assert.Equal(direct.Slice(0xE_0000, 36).ToArray(), blocks["etc/acpi/rsdp"]);
    }

    [Fact]
    public void The_script_finds_a_place_before_it_points_there_and_sums_up_last()
    {
        var commands = _files["etc/table-loader"].Chunk(128).Select(static entry => entry[0]).ToArray();

        Assert.Equal(commands.Order(), commands);
    }

    [Fact]
    public void The_memory_map_has_RAM_whole_and_what_is_reserved()
    {
        var map = _files["etc/e820"].Chunk(20)
            .Select(static entry => (entry.UInt64(0), entry.UInt64(8), entry.UInt32(16))).ToArray();

        Assert.Equal(
            [
                (0ul, 3ul << 30, 1u),
                (4ul << 30, 2ul << 30, 1u),
                (0xFC00_0000ul, 0x10_0000ul, 2u),
                (0xFEFF_C000ul, 0x4000ul, 2u),
            ],
            map);
    }

    [Theory]
    [InlineData(256ul << 20, 0x0F00u, 0u)]
    [InlineData(32ul << 20, 0x0100u, 0u)]
    [InlineData(5ul << 30, 0xBF00u, 0x8000u)]
    public void CMOS_has_the_memory_in_units_of_64_KiB(ulong ram, uint above16MiB, uint above4GiB)
    {
        using var clock = new RealTimeClock(new FakeTime(DateTimeOffset.UnixEpoch), new FakeLine());
        FirmwareConfiguration.Write(MemoryLayout.ForFirmware(ram, 40), 4, clock);

        Assert.Equal(above16MiB, Cell(clock, 0x34) | (Cell(clock, 0x35) << 8));
        Assert.Equal(above4GiB, Cell(clock, 0x5B) | (Cell(clock, 0x5C) << 8) | (Cell(clock, 0x5D) << 16));
        Assert.Equal(3u, Cell(clock, 0x5F));
        Assert.Equal(0x19u, Cell(clock, 0x32));
    }

    private static uint Cell(RealTimeClock clock, byte cell)
    {
        clock.Write(0, AccessWidth.Byte, cell);
        return (uint)clock.Read(1, AccessWidth.Byte);
    }

    private static byte[] Item(FwCfg config, ushort key, int length)
    {
        config.Write(0, AccessWidth.Word, key);
        return [.. Enumerable.Range(0, length).Select(_ => (byte)config.Read(1, AccessWidth.Byte))];
    }
}

/// <summary>Executes the script as firmware does (edk2 OvmfPkg/AcpiPlatformDxe): places the tables at a given address.</summary>
internal static class LoaderModel
{
    public static Dictionary<string, byte[]> Run(Dictionary<string, byte[]> files, ulong tables)
    {
        var placed = new Dictionary<string, byte[]>();
        foreach (var entry in files["etc/table-loader"].Chunk(128))
        {
            var file = Name(entry, 4);
            switch (entry.UInt32(0))
            {
                case 1:
                    placed.Add(file, [.. files[file]]);
                    break;
                case 2:
                    Assert.Equal("etc/acpi/tables", Name(entry, 60));
                    AddPointer(placed[file], (int)entry.UInt32(116), entry[120], tables, placed["etc/acpi/tables"].Length);
                    break;
                case 3:
                    var (offset, start, length) = ((int)entry.UInt32(60), (int)entry.UInt32(64), (int)entry.UInt32(68));
                    var sum = placed[file].AsSpan(start, length).ToArray().Sum();
                    placed[file][offset] = (byte)-sum;
                    break;
                default:
                    Assert.Fail($"command {entry.UInt32(0)}");
                    break;
            }
        }
        return placed;
    }

    private static void AddPointer(byte[] block, int offset, int size, ulong tables, int length)
    {
        var value = size == 8 ? block.UInt64(offset) : block.UInt32(offset);
        Assert.InRange(value, 0ul, (ulong)length - 1);
        BitConverter.GetBytes(value + tables).AsSpan(0, size).CopyTo(block.AsSpan(offset));
    }

    private static string Name(byte[] entry, int offset) => Encoding.ASCII.GetString(entry, offset, 56).TrimEnd('\0');
}
