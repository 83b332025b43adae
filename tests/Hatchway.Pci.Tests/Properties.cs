using FsCheck;
using FsCheck.Fluent;

namespace Hatchway.Pci.Tests;

/// <summary>Runs a property over generated cases; a failure is reported with the case and the seed.</summary>
internal static class Properties
{
    /// <summary>Seeds, for cases that are too large to shrink.</summary>
    public static Gen<int> Seeds { get; } = Gen.Choose(0, int.MaxValue);

    public static void Hold<T>(Gen<T> cases, Action<T> assert, int count = 200) =>
        Check.One(
            FsCheck.Config.QuickThrowOnFailure.WithMaxTest(count).WithQuietOnSuccess(true),
            Prop.ForAll(cases.ToArbitrary(), assert));
}
