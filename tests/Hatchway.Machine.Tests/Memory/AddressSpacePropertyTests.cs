using FsCheck;
using FsCheck.Fluent;
using Hatchway.Machine.Memory;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Tests.Memory;

/// <summary>Compares the address space with a model that asks every mapping for every byte.</summary>
public sealed class AddressSpacePropertyTests
{
    private const int SpaceLength = 256;

    private static readonly AccessWidth[] Widths = [AccessWidth.Byte, AccessWidth.Word, AccessWidth.Dword, AccessWidth.Qword];

    [Fact]
    public void Any_sequence_of_changes_and_accesses_gives_what_the_naive_model_gives()
    {
        var step =
            from kind in Gen.Choose(0, 5)
            from address in Gen.Choose(0, SpaceLength + 8)
            from length in Gen.Choose(1, 80)
            from choice in Gen.Choose(0, 3)
            select new Step(kind, address, length, choice);
        Prop.ForAll(step.ArrayOf().ToArbitrary(), Agree).Check(Config.QuickThrowOnFailure.WithMaxTest(500).WithEndSize(60));
    }

    private static bool Agree(Step[] steps)
    {
        var space = new AddressSpace(SpaceLength);
        var model = new Model();
        foreach (var step in steps)
        {
            switch (step.Kind)
            {
                case 0 or 1 when step.Address + step.Length <= SpaceLength:
                    var target = new BytesTarget(step.Length, (byte)(step.Address * 7));
                    space.Map((ulong)step.Address, (ulong)step.Length, target, step.Choice);
                    model.Mappings.Add(new Mapped(step.Address, target, step.Choice));
                    break;
                case 2 when model.Mappings.Count > 0:
                    var gone = model.Mappings[step.Length % model.Mappings.Count];
                    space.Unmap(gone.Target);
                    model.Mappings.Remove(gone);
                    break;
                case 3:
                    var pattern = (ulong)step.Length * 0x0123_4567_89AB_CDEF;
                    space.Write((ulong)step.Address, Widths[step.Choice], pattern);
                    model.Write(step.Address, Widths[step.Choice], pattern);
                    break;
                default:
                    // The model shares the targets' bytes, so only the owner of a byte can differ.
                    if (space.Read((ulong)step.Address, Widths[step.Choice]) != model.Read(step.Address, Widths[step.Choice]))
                        return false;
                    break;
            }
        }
        return model.Unclaimed == space.Unclaimed && model.WritesArrived();
    }

    private sealed record Step(int Kind, int Address, int Length, int Choice);

    private sealed record Mapped(int Start, BytesTarget Target, int Priority)
    {
        public Dictionary<int, byte> Expected { get; } = [];
    }

    private sealed class Model
    {
        private readonly List<Mapped> _written = [];

        public List<Mapped> Mappings { get; } = [];

        public long Unclaimed { get; private set; }

        public ulong Read(int address, AccessWidth width)
        {
            var value = 0ul;
            var all = true;
            for (var i = 0; i < (int)width; i++)
            {
                var owner = Owner(address + i);
                value |= (ulong)(owner?.Target.Bytes[address + i - owner.Start] ?? 0xFF) << (8 * i);
                all &= owner is not null;
            }
            Unclaimed += all ? 0 : 1;
            return value;
        }

        public void Write(int address, AccessWidth width, ulong value)
        {
            var all = true;
            for (var i = 0; i < (int)width; i++)
            {
                var owner = Owner(address + i);
                all &= owner is not null;
                if (owner is null)
                    continue;
                owner.Expected[address + i - owner.Start] = (byte)(value >> (8 * i));
                _written.Add(owner);
            }
            Unclaimed += all ? 0 : 1;
        }

        public bool WritesArrived() =>
            _written.TrueForAll(mapped => mapped.Expected.All(entry => mapped.Target.Bytes[entry.Key] == entry.Value));

        private Mapped? Owner(int address)
        {
            Mapped? best = null;
            foreach (var mapped in Mappings)
            {
                if (address >= mapped.Start && address < mapped.Start + mapped.Target.Bytes.Length
                    && (best is null || mapped.Priority > best.Priority))
                    best = mapped;
            }
            return best;
        }
    }
}
