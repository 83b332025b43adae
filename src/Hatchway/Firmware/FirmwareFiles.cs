using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;

namespace Hatchway.Firmware;

/// <summary>The firmware's files, read and checked.</summary>
internal sealed class FirmwareFiles : IDisposable
{
    private const ulong Room = MemoryLayout.FlashEnd - MemoryLayout.FlashStart;

    private FirmwareFiles(byte[] code, byte[] variables, FileStream? kept)
    {
        Code = code;
        Variables = variables;
        KeptVariables = kept;
    }

    /// <summary>The firmware's code, where the first CPU starts: whole blocks that end at 4 GiB.</summary>
    public byte[] Code { get; }

    /// <summary>The variables, below the code in flash: whole blocks, or empty when none are kept.</summary>
    public byte[] Variables { get; }

    /// <summary>
    /// The file that changes of <see cref="Variables"/> are written to, locked against other guests; null when there are none.
    /// </summary>
    public FileStream? KeptVariables { get; }

    /// <summary>Finds and reads the files.</summary>
    /// <param name="options">The user's options.</param>
    /// <param name="guest">The guest's name.</param>
    /// <exception cref="UserException">One is missing, or can't be used.</exception>
    public static FirmwareFiles Open(FirmwareOptions options, string guest)
    {
        var (code, variables) = Choose(options, guest);
        var codeBytes = Read(code);
        Check(code, codeBytes.Length, Room);
        if (variables is null)
            return new FirmwareFiles(codeBytes, [], null);
        FileStream? kept = null;
        try
        {
            kept = new FileStream(variables, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            Check(variables, kept.Length, Room - (ulong)codeBytes.Length);
            var content = new byte[kept.Length];
            kept.ReadExactly(content);
            return new FirmwareFiles(codeBytes, content, kept);
        }
        catch (FileNotFoundException)
        {
            var fresh = InstalledFirmware.FreshVariables(code) ?? "the file of fresh variables that came with the firmware";
            throw new UserException($"-l bootrom: {variables}: no such file; copy {fresh} to it");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            kept?.Dispose();
            throw new UserException(
                $"-l bootrom: {variables}: firmware's variables must be writable, and no other guest's: {failure.Message}");
        }
        catch
        {
            kept?.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => KeptVariables?.Dispose();

    /// <summary>Makes the folder for the guest's own copy of the variables.</summary>
    /// <returns>The folder, or null when the guest has no copy of its own.</returns>
    /// <exception cref="UserException">No firmware is installed, or the folder can't be made.</exception>
    public static string? MakeOwnFolder(FirmwareOptions options, string guest)
    {
        if (options.Variables is not null || Find(options).Fresh is null)
            return null;
        var folder = InstalledFirmware.StateFolder(guest, Environment.IsPrivilegedProcess);
        InstalledFirmware.MakeFolder(folder);
        return folder;
    }

    private static (string Code, string? Variables) Choose(FirmwareOptions options, string guest)
    {
        var (code, fresh) = Find(options);
        return options.Variables is null && MakeOwnFolder(options, guest) is { } folder
            ? (code, InstalledFirmware.OwnVariables(fresh!, folder))
            : (code, options.Variables);
    }

    private static (string Code, string? Fresh) Find(FirmwareOptions options) =>
        options.Code is { } code ? (code, InstalledFirmware.FreshVariables(code)) : InstalledFirmware.Find();

    private static byte[] Read(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            var content = new byte[Math.Min((ulong)file.Length, Room + 1)];
            file.ReadExactly(content);
            return content;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"-l bootrom: the firmware can't be read: {failure.Message}");
        }
    }

    private static void Check(string path, long length, ulong room)
    {
        if (length == 0 || length % PFlash.BlockSize != 0)
            throw new UserException($"-l bootrom: {path}: {length} bytes are no image of flash: it has whole blocks of {PFlash.BlockSize}");
        if ((ulong)length > room)
            throw new UserException($"-l bootrom: {path}: larger than the 0x{room:x} bytes of flash there is room for");
    }
}
