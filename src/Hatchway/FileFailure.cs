namespace Hatchway;

/// <summary>Explains in plain words why a file that the user named can't be read or written.</summary>
internal static class FileFailure
{
    /// <param name="failure">The exception.</param>
    /// <param name="path">The file.</param>
    public static string Reason(Exception failure, string path) => failure switch
    {
        FileNotFoundException => "no such file",
        DirectoryNotFoundException => "the folder that it would be in is not there",
        UnauthorizedAccessException => Directory.Exists(path) ? "that is a directory" : "permission denied",
        _ => failure.Message,
    };
}
