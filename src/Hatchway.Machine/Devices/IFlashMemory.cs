namespace Hatchway.Machine.Devices;

/// <summary>Holds a flash chip's content. The program implements it.</summary>
/// <remarks>Only the chip calls it, one call at a time.</remarks>
public interface IFlashMemory
{
    /// <summary>The content, at the same address for the chip's whole life.</summary>
    Span<byte> Content { get; }

    /// <summary>Maps the content into the guest for reading, without exits to the chip. Writes still reach the chip.</summary>
    void Show();

    /// <summary>Unmaps the content before it returns: reads reach the chip, too.</summary>
    void Hide();

    /// <summary>Saves a changed part of the content, so that it outlasts the machine.</summary>
    /// <returns>False when that failed; the content has changed all the same.</returns>
    bool TryKeep(int offset, int length);
}
