namespace Hatchway.Machine.Devices;

/// <summary>What holds a flash chip's content. The program implements it.</summary>
/// <remarks>Called by the chip only, one call at a time.</remarks>
public interface IFlashMemory
{
    /// <summary>The content, for the chip's whole life in one place.</summary>
    Span<byte> Content { get; }

    /// <summary>Lets the guest read the content as memory, without the chip: a write still reaches the chip.</summary>
    void Show();

    /// <summary>Takes that away before it returns: reads reach the chip, too.</summary>
    void Hide();

    /// <summary>Makes a part of the content that has changed outlast the machine.</summary>
    /// <returns>False when that failed; the content has changed all the same.</returns>
    bool TryKeep(int offset, int length);
}
