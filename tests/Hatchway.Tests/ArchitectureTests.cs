using System.Reflection;
using System.Runtime.CompilerServices;
using System.Security;

namespace Hatchway.Tests;

/// <summary>The rooms: which may reference which, and where unsafe code is.</summary>
public sealed class ArchitectureTests
{
    private static readonly Assembly Pci = typeof(Hatchway.Pci.Address.PciAddress).Assembly;
    private static readonly Assembly Machine = typeof(Hatchway.Machine.Pc).Assembly;
    private static readonly Assembly Linux = typeof(Hatchway.Linux.FileDescriptor).Assembly;
    private static readonly Assembly Passthrough = typeof(Hatchway.Passthrough.PassthroughException).Assembly;
    private static readonly Assembly Program = typeof(Hatchway.Program).Assembly;

    public static TheoryData<string, string[]> Rooms => new()
    {
        { "Hatchway.Pci", [] },
        { "Hatchway.Linux", [] },
        { "Hatchway.Machine", ["Hatchway.Pci"] },
        { "Hatchway.Passthrough", ["Hatchway.Linux", "Hatchway.Pci"] },
        { "hatchway", ["Hatchway.Linux", "Hatchway.Machine", "Hatchway.Passthrough", "Hatchway.Pci"] },
    };

    [Theory]
    [MemberData(nameof(Rooms))]
    public void A_room_references_the_rooms_it_may_and_no_other(string room, string[] allowed)
    {
        var references = Find(room).GetReferencedAssemblies()
            .Select(static name => name.Name!)
            .Where(static name => name.StartsWith("Hatchway", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);

        Assert.Equal(allowed, references);
    }

    [Fact]
    public void Unsafe_code_is_in_the_native_boundary_only()
    {
        // The compiler marks modules that allow unsafe code.
        var marked = new[] { Pci, Machine, Linux, Passthrough, Program }
            .Where(static assembly => assembly.ManifestModule.IsDefined(typeof(UnverifiableCodeAttribute)))
            .Select(static assembly => assembly.GetName().Name);

        Assert.Equal(["Hatchway.Linux"], marked);
        Assert.True(Linux.IsDefined(typeof(DisableRuntimeMarshallingAttribute)));
    }

    [Fact]
    public void The_pci_room_needs_nothing_but_the_runtime()
    {
        var outside = Pci.GetReferencedAssemblies().Where(static name => !name.Name!.StartsWith("System.", StringComparison.Ordinal));

        Assert.Empty(outside);
    }

    private static Assembly Find(string name) =>
        new[] { Pci, Machine, Linux, Passthrough, Program }.Single(assembly => assembly.GetName().Name == name);
}
