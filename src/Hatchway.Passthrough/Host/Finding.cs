namespace Hatchway.Passthrough.Host;

/// <summary>How a check went.</summary>
public enum FindingLevel
{
    /// <summary>Nothing is in the way.</summary>
    Ok,

    /// <summary>Not in the way, but good to know.</summary>
    Note,

    /// <summary>The function can't be given to a guest before this is mended.</summary>
    Problem,
}

/// <summary>What a check found.</summary>
/// <param name="Level">How it went.</param>
/// <param name="Text">What was found, for people.</param>
/// <param name="Remedy">The command or the setting that mends it; null where nothing is to be mended, or nothing can.</param>
public sealed record Finding(FindingLevel Level, string Text, string? Remedy = null)
{
    /// <summary>Text and remedy in one line.</summary>
    public string Line => Remedy is null ? Text : $"{Text}: {Remedy}";

    /// <summary>Throws a problem's line.</summary>
    /// <exception cref="PassthroughException">It is a problem.</exception>
    internal void ThrowIfProblem()
    {
        if (Level == FindingLevel.Problem)
            throw new PassthroughException(Line);
    }

    /// <summary>Nothing is in the way.</summary>
    internal static Finding Ok(string text) => new(FindingLevel.Ok, text);

    /// <summary>Good to know.</summary>
    internal static Finding Note(string text, string? remedy = null) => new(FindingLevel.Note, text, remedy);

    /// <summary>In the way.</summary>
    internal static Finding Problem(string text, string? remedy) => new(FindingLevel.Problem, text, remedy);
}

/// <summary>One question, whether a function can be given to a guest.</summary>
/// <param name="Name">For people, a few words.</param>
/// <param name="StopsRun">A problem keeps <c>run</c> from opening anything; other problems the kernel reports itself.</param>
/// <param name="Look">Looks; null when the question does not arise.</param>
/// <typeparam name="T">What is looked at.</typeparam>
public sealed record Check<T>(string Name, bool StopsRun, Func<T, Finding?> Look)
{
    /// <summary>It opens a device file, which another process may want at that moment; a mere list leaves it out.</summary>
    public bool OpensFiles { get; init; }
}

/// <summary>A check's name and what it found.</summary>
/// <param name="Check">The check's name.</param>
/// <param name="Finding">What it found.</param>
public sealed record CheckResult(string Check, Finding Finding);
