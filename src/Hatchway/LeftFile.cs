namespace Hatchway;

/// <summary>A file that is removed when its guest ends.</summary>
internal static class LeftFile
{
    /// <summary>Removes the file, ignoring failures: its folder may be gone, as the user's in /run after a logout, which is no failure of
    /// the guest.</summary>
    public static void Delete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // The next guest of the same name replaces the file.
        }
    }
}
