using FsCheck;
using FsCheck.Fluent;
using Hatchway.Machine.Boot;

namespace Hatchway.Machine.Tests.Boot;

public sealed class HostileImageTests
{
    // Shared by all runs: loading does not depend on the previous content, and allocating 64 MiB a run would be most of the work.
    private readonly ArrayMemory _memory = new(Loading.RamBytes);

    private static readonly Gen<ulong> Extremes = Gen.OneOf(
        Gen.Elements<ulong>(0, 1, 3, 4, 8, 0x7F, 0xFF, 0xFFFF, 0x10_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000),
        Gen.Elements<ulong>(0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_F000, 0xFFFF_FFFF_FFFF_FFFF),
        Gen.Choose(0, int.MaxValue).Select(static value => (ulong)value));

    [Fact]
    public void A_bzImage_with_any_bytes_in_its_header_loads_or_is_refused() =>
        Check(new BzImageBuilder().Build(), 0x1F0, 0x268);

    [Fact]
    public void An_ELF_image_with_any_bytes_in_its_headers_loads_or_is_refused() =>
        Check(new ElfBuilder().Build(), 4, 0x140);

    [Fact]
    public void An_image_cut_anywhere_loads_or_is_refused()
    {
        foreach (var image in new[] { new BzImageBuilder().Build(), new ElfBuilder().Build() })
        {
            for (var length = 0; length < image.Length; length += length < 0x400 ? 1 : 97)
                Attempt(image[..length]);
        }
    }

    [Fact]
    public void A_file_that_can_not_be_read_is_refused_by_name()
    {
        using var stream = new BrokenStream();
        var refusal = Assert.Throws<BootException>(
            () => KernelLoader.Load(new BootRequest(stream, "vmlinuz", null, null, "", 0), _memory, Loading.Layout));
        Assert.StartsWith("vmlinuz: can't be read", refusal.Message, StringComparison.Ordinal);
    }

    // Overwrites up to three numbers of any width anywhere in the headers.
    private void Check(byte[] image, int first, int last)
    {
        var patch =
            from offset in Gen.Choose(first, last - 8)
            from width in Gen.Elements(1, 2, 4, 8)
            from value in Extremes
            select (Offset: offset, Width: width, Value: value);
        var loaded = 0;
        FsCheck.Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(3000).WithQuietOnSuccess(true),
            Prop.ForAll(
                patch.NonEmptyListOf().Select(static list => list.Take(3).ToArray()).ToArbitrary(),
            patches =>
            {
                var copy = (byte[])image.Clone();
                foreach (var (offset, width, value) in patches)
                    BitConverter.GetBytes(value).AsSpan(0, width).CopyTo(copy.AsSpan(offset));
                loaded += Attempt(copy) ? 1 : 0;
                return true;
            }));
        // Neither all nor none load: the inputs get past the first check.
        Assert.InRange(loaded, 1, 2999);
    }

    // Any exception except a BootException fails the test. An image that loads must start inside RAM.
    private bool Attempt(byte[] image)
    {
        try
        {
            var state = Loading.Load(image, _memory, new byte[3]);
            Assert.InRange(state.EntryPoint, 0x10_0000ul, (ulong)Loading.RamBytes);
            return true;
        }
        catch (BootException refusal)
        {
            Assert.DoesNotContain('\n', refusal.Message);
            return false;
        }
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override long Length => 4096;

        public override int Read(Span<byte> buffer) => throw new IOException("Input/output error");
    }
}
