namespace Hatchway.Firmware;

/// <summary>Finds OVMF where distributions install it, and keeps each guest's variables.</summary>
internal static class InstalledFirmware
{
    /// <summary>The name of the guest's own copy of the variables, in <see cref="StateFolder"/>.</summary>
    public const string VariablesName = "VARS.fd";

    // Code and variables as installed. Builds that need system management mode (Debian's .secboot) are left out, since guests don't have
    // it.
    private static readonly (string Code, string Variables)[] Places =
    [
        // Debian and Ubuntu, package ovmf.
        ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
        ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
        // Fedora, package edk2-ovmf.
        ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
        // Arch, package edk2-ovmf.
        ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
    ];

    /// <summary>Finds the installed firmware: its code, and its fresh variables.</summary>
    /// <param name="root">A folder in place of /, for tests.</param>
    /// <exception cref="UserException">None is installed.</exception>
    public static (string Code, string Variables) Find(string root = "")
    {
        foreach (var (code, variables) in Places)
        {
            if (File.Exists(root + code) && File.Exists(root + variables))
                return (root + code, root + variables);
        }
        throw new UserException(
            "no --kernel, and no firmware is installed to start a disk by: install the package ovmf (Fedora, Arch: edk2-ovmf), "
            + "or give --kernel FILE or -l bootrom,CODE.fd");
    }

    /// <summary>
    /// Finds the fresh variables for a firmware's code by its name, as OVMF_VARS_4M.fd for OVMF_CODE_4M.fd; null when there are none.
    /// </summary>
    public static string? FreshVariables(string code)
    {
        var name = Path.GetFileName(code);
        var at = name.LastIndexOf("CODE", StringComparison.Ordinal);
        if (at < 0)
            return null;
        var fresh = Path.Combine(Path.GetDirectoryName(code) ?? "", $"{name[..at]}VARS{name[(at + 4)..]}");
        return File.Exists(fresh) ? fresh : null;
    }

    /// <summary>
    /// The folder for what a guest keeps between starts: for root below /var/lib/hatchway, else in the state folder of the XDG base
    /// directory specification.
    /// </summary>
    /// <exception cref="UserException">The guest's name can't be a folder's.</exception>
    public static string StateFolder(string guest, bool isRoot)
    {
        if (guest is "." or ".." || guest.Contains('/', StringComparison.Ordinal))
        {
            throw new UserException(
                $"'{guest}': firmware's variables are kept in a folder of the guest's name, and that can't be one: give another name");
        }
        if (isRoot)
            return Path.Combine("/var/lib/hatchway", guest);
        var state = Environment.GetEnvironmentVariable("XDG_STATE_HOME");
        if (string.IsNullOrEmpty(state) || !Path.IsPathRooted(state))
            state = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local/state");
        return Path.Combine(state, "hatchway", guest);
    }

    /// <summary>The guest's own copy of the variables, copied from fresh ones when it does not exist yet.</summary>
    /// <exception cref="UserException">It can't be made.</exception>
    public static string OwnVariables(string fresh, string folder)
    {
        var own = Path.Combine(folder, VariablesName);
        if (File.Exists(own))
            return own;
        MakeFolder(folder);
        try
        {
            // Written under another name first, so that an interrupted start leaves no partial copy.
            var unfinished = $"{own}.{Environment.ProcessId}";
            // Content only: the fresh file's permissions would make the copy read-only.
            File.WriteAllBytes(unfinished, File.ReadAllBytes(fresh));
            File.Move(unfinished, own, overwrite: true);
            return own;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw NotKept(folder, failure);
        }
    }

    /// <summary>Makes the folder of <see cref="StateFolder"/>, if it does not exist.</summary>
    /// <exception cref="UserException">It can't be made.</exception>
    public static void MakeFolder(string folder)
    {
        // It exists already when a sandboxed process gets here, which could not make it.
        if (Directory.Exists(folder))
            return;
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw NotKept(folder, failure);
        }
    }

    private static UserException NotKept(string folder, Exception failure) => new(
        $"firmware's variables can't be kept in {folder}: {failure.Message}; mend that, or name a file: -l bootrom,CODE.fd,VARS.fd");
}
