namespace Hatchway.Terminal;

/// <summary>A console's own keys: Ctrl-A x ends or leaves it, Ctrl-A Ctrl-A sends one Ctrl-A, and Ctrl-A before any other key is
/// dropped.</summary>
/// <remarks>For one thread.</remarks>
internal sealed class EscapeKeys
{
    private const byte Escape = 0x01;

    private bool _isEscaped;

    /// <summary>Removes the console's own keys from the input.</summary>
    /// <param name="keys">The input; what is left for the guest is moved to its start.</param>
    /// <param name="isEnd">True when Ctrl-A x was among the keys.</param>
    /// <returns>The input for the guest.</returns>
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
