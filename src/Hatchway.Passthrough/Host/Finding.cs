namespace Hatchway.Passthrough.Host;

/// <summary>The severity of a check's result.</summary>
public enum FindingLevel
{
    /// <summary>Nothing prevents passthrough.</summary>
    Ok,

    /// <summary>Does not prevent passthrough, but the user should know.</summary>
    Note,

    /// <summary>The function can't be given to a guest before this is fixed.</summary>
    Problem,
}

/// <summary>The result of a check.</summary>
/// <param name="Level">Its severity.</param>
/// <param name="Text">What the check found, for people.</param>
/// <param name="Remedy">The command or the setting that fixes it; null when there is nothing to fix, or no way to.</param>
public sealed record Finding(FindingLevel Level, string Text, string? Remedy = null)
{
    /// <summary>Text and remedy in one line.</summary>
    public string Line => Remedy is null ? Text : $"{Text}: {Remedy}";

    /// <summary>Throws if this is a problem, with its line as the message.</summary>
    /// <exception cref="PassthroughException">It is a problem.</exception>
    internal void ThrowIfProblem()
    {
        if (Level == FindingLevel.Problem)
            throw new PassthroughException(Line);
    }

    /// <summary>Creates a result that nothing is wrong.</summary>
    internal static Finding Ok(string text) => new(FindingLevel.Ok, text);

    /// <summary>Creates a note.</summary>
    internal static Finding Note(string text, string? remedy = null) => new(FindingLevel.Note, text, remedy);

    /// <summary>Creates a problem.</summary>
    internal static Finding Problem(string text, string? remedy) => new(FindingLevel.Problem, text, remedy);
}

/// <summary>One check of whether a function can be given to a guest.</summary>
/// <param name="Name">A few words, for people.</param>
/// <param name="StopsRun">True when a problem stops <c>run</c> before it opens anything. Other problems do not stop it.</param>
/// <param name="Look">Makes the check; gives null when it does not apply.</param>
/// <typeparam name="T">The type of the object that is checked.</typeparam>
public sealed record Check<T>(string Name, bool StopsRun, Func<T, Finding?> Look)
{
    /// <summary>True when the check opens a device file, which could make another process's open fail. Lists omit such checks.</summary>
    public bool OpensFiles { get; init; }
}

/// <summary>A check's name and its result.</summary>
/// <param name="Check">The check's name.</param>
/// <param name="Finding">Its result.</param>
public sealed record CheckResult(string Check, Finding Finding);
