namespace Hatchway.Terminal;

/// <summary>Keys that are for a console and not for its guest: Ctrl-A x ends or leaves it, Ctrl-A Ctrl-A is one Ctrl-A, and Ctrl-A before
/// anything else is dropped.</summary>
/// <remarks>One thread uses it.</remarks>
internal sealed class EscapeKeys
{
    private const byte Escape = 0x01;

    private bool _isEscaped;

    /// <summary>Takes the console's own keys out.</summary>
    /// <param name="keys">What was typed; what is left for the guest is moved to its start.</param>
    /// <param name="isEnd">True when Ctrl-A x was among them.</param>
    /// <returns>What is left.</returns>
    public Span<byte> Filter(Span<byte> keys, out bool isEnd)
    {
        isEnd = false;
        var kept = 0;
        foreach (var key in keys)
        {
            if (!_isEscaped && key == Escape)
            {
                _isEscaped = true;
                continue;
            }
            if (_isEscaped && key == (byte)'x')
                isEnd = true;
            else
                keys[kept++] = key;
            _isEscaped = false;
        }
        return keys[..kept];
    }
}
