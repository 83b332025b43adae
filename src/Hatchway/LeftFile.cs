namespace Hatchway;

/// <summary>A file that a guest leaves behind when it ends.</summary>
internal static class LeftFile
{
    /// <summary>Removes it, if it can be: its folder may be gone, as the user's in /run after a logout, and the guest has ended
    /// well.</summary>
    public static void Delete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Whoever takes the name next replaces what is there.
        }
    }
}
