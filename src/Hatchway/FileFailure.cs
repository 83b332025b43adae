namespace Hatchway;

/// <summary>Why a file that the user named can't be read or written, in words of ours.</summary>
internal static class FileFailure
{
    /// <param name="failure">What was thrown.</param>
    /// <param name="path">The file.</param>
    public static string Reason(Exception failure, string path) => failure switch
    {
        FileNotFoundException => "no such file",
        DirectoryNotFoundException => "the folder that it would be in is not there",
        UnauthorizedAccessException => Directory.Exists(path) ? "that is a directory" : "permission denied",
        _ => failure.Message,
    };
}
