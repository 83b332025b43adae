namespace Hatchway.Configuration;

/// <summary>A file of variables, for bhyve(8)'s <c>-k</c>.</summary>
internal static class ConfigurationFile
{
    /// <summary>Sets the variables of a file: one <c>name=value</c> a line, without blanks around the equals sign. Empty lines and lines
    /// that begin with # are skipped.</summary>
    /// <exception cref="UserException">The file can't be read, or a line is malformed.</exception>
    public static void Read(string path, ConfigurationTree tree)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UserException($"-k {path}: can't be read: {FileFailure.Reason(failure, path)}");
        }
        for (var number = 1; number <= lines.Length; number++)
        {
            var line = lines[number - 1];
            if (line.Length > 0 && line[0] != '#')
                SetLine(line, $"{path} line {number}: {line}", tree);
        }
    }

    /// <summary>Sets one variable from <c>name=value</c>.</summary>
    /// <param name="line">The assignment.</param>
    /// <param name="origin">What the user typed, for messages.</param>
    /// <param name="tree">The tree that is changed.</param>
    public static void SetLine(string line, string origin, ConfigurationTree tree)
    {
        var equals = line.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
            throw new UserException($"{origin}: write name=value, without blanks around the sign");
        tree.Set(line[..equals], line[(equals + 1)..], origin);
    }
}
