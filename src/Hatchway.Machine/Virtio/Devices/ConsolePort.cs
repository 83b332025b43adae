using System.Buffers.Binary;
using System.Text;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Virtio.Spec;

namespace Hatchway.Machine.Virtio.Devices;

/// <summary>One port of a console device: bytes in both directions between a guest's program and a client on the host.</summary>
/// <remarks><c>_gate</c> guards the input and the pending control messages; a leaf. The callbacks are called without it.</remarks>
public sealed class ConsolePort : ICharacterInput
{
    private const int Room = 4096;
    private const ulong MostAtOnce = 1 << 20;

    private readonly Lock _gate = new();
    private readonly IPortClient _client;
    private readonly Action _arrived;
    private readonly Action _told;
    private readonly Action _drained;
    private readonly byte[] _name;
    private readonly byte[] _bytes = new byte[Room];
    private int _count;
    // Bytes already sent of the guest's current transmit buffer.
    private ulong _sent;
    private bool _isShort;
    private bool _isConnected;
    private bool _isReady;
    private bool _isOpen;
    private bool _mustAdd;
    private bool _mustName;

    // Whether the guest was last told that a client is connected, and whether it must first be told that this client has gone.
    private bool _isToldConnected;
    private bool _mustTellGone;

    /// <summary>Makes a port.</summary>
    /// <param name="name">The port's name in the guest.</param>
    /// <param name="client">Takes what the guest writes.</param>
    /// <param name="arrived">Asks for the port's receive queue to be served. Called on any thread.</param>
    /// <param name="told">Asks for the control queue to be served. Called on any thread.</param>
    /// <param name="drained">Called when there is room again after <see cref="Receive"/> took less than offered.</param>
    public ConsolePort(string name, IPortClient client, Action arrived, Action told, Action drained)
    {
        _name = Encoding.UTF8.GetBytes(name);
        (_client, _arrived, _told, _drained) = (client, arrived, told, drained);
    }

    /// <inheritdoc/>
    public int Receive(ReadOnlySpan<byte> bytes)
    {
        int taken;
        lock (_gate)
        {
            // For a port that is not open it stays with the client: a driver that begins anew has no use for what came before it.
            taken = _isOpen ? Math.Min(bytes.Length, Room - _count) : 0;
            bytes[..taken].CopyTo(_bytes.AsSpan(_count));
            _count += taken;
            _isShort |= taken < bytes.Length;
        }
        if (taken > 0)
            _arrived();
        return taken;
    }

    /// <summary>Tells the guest's program that the host's client has connected or gone. Any thread.</summary>
    public void SetConnected(bool isConnected)
    {
        lock (_gate)
        {
            _isConnected = isConnected;
            _mustTellGone |= !isConnected && _isToldConnected;
        }
        _told();
    }

    /// <summary>Resets the port for a driver that starts.</summary>
    /// <param name="isOpen">True when the guest takes input without opening the port first.</param>
    internal void Restart(bool isOpen)
    {
        bool drained;
        lock (_gate)
        {
            _isReady = _mustAdd = _mustName = _isToldConnected = _mustTellGone = false;
            _isOpen = isOpen;
            // Input that came for the driver before is not this one's.
            _count = 0;
            _sent = 0;
            drained = TakeShort();
        }
        if (drained)
            _drained();
    }

    /// <summary>Called when the driver has reset the device, so that the guest's programs no longer have the port open.</summary>
    internal void Close()
    {
        lock (_gate)
            _isOpen = false;
    }

    /// <summary>Passes a buffer of the guest's to the client, from where the client last stopped taking. On the device's thread.</summary>
    /// <returns>False when the client again did not take all.</returns>
    internal bool Send(QueueMemory memory, DescriptorChain buffer)
    {
        var at = 0ul;
        foreach (var piece in buffer.Readable)
        {
            var end = at + piece.Length;
            while (_sent < end)
            {
                var bytes = memory.Slice(piece.Address + (_sent - at), (int)Math.Min(end - _sent, MostAtOnce));
                var taken = _client.Take(bytes);
                _sent += (ulong)taken;
                if (taken < bytes.Length)
                    return false;
            }
            at = end;
        }
        _sent = 0;
        return true;
    }

    /// <summary>Notes that the driver supports several ports, and must be told of this one.</summary>
    internal void Announce()
    {
        lock (_gate)
            _mustAdd = true;
    }

    /// <summary>Notes that the driver has added this port, and must be told its name and state.</summary>
    internal void SetReady()
    {
        lock (_gate)
        {
            _isReady = _mustName = true;
            _isToldConnected = _mustTellGone = false;
        }
    }

    /// <summary>Notes that a program of the guest has opened or closed the port. While it is closed, input is kept, not
    /// delivered.</summary>
    internal void SetOpen(bool isOpen)
    {
        bool drained;
        lock (_gate)
        {
            _isOpen = isOpen;
            drained = TakeShort();
        }
        _arrived();
        if (drained)
            _drained();
    }

    /// <summary>Moves input into a buffer of the guest's.</summary>
    /// <returns>Bytes moved.</returns>
    internal int Drain(QueueMemory memory, DescriptorChain buffer)
    {
        int moved;
        bool drained;
        lock (_gate)
        {
            if (!_isOpen || _count == 0)
                return 0;
            moved = buffer.Write(memory, 0, _bytes.AsSpan(0, _count));
            _bytes.AsSpan(moved, _count - moved).CopyTo(_bytes);
            _count -= moved;
            drained = TakeShort();
        }
        if (drained)
            _drained();
        return moved;
    }

    // With the gate. Whether there is room now for what was not taken; of a closed port there is none.
    private bool TakeShort()
    {
        var drained = _isOpen && _isShort;
        _isShort &= !drained;
        return drained;
    }

    /// <summary>Writes the next control message for the guest.</summary>
    /// <param name="number">The port's number.</param>
    /// <param name="message">Receives the message; must have room for the longest name.</param>
    /// <returns>The message's length; 0 when there is none.</returns>
    internal int TakeMessage(int number, Span<byte> message)
    {
        lock (_gate)
        {
            var mustTell = _isReady && (_mustTellGone || _isConnected != _isToldConnected);
            if (!_mustAdd && !_mustName && !mustTell)
                return 0;
            var what = _mustAdd ? ConsoleEvent.PortAdd : _mustName ? ConsoleEvent.PortName : ConsoleEvent.PortOpen;
            BinaryPrimitives.WriteUInt32LittleEndian(message, (uint)number);
            BinaryPrimitives.WriteUInt16LittleEndian(message[ConsoleDevice.MessageEvent..], (ushort)what);
            var value = what != ConsoleEvent.PortOpen || (_isConnected && !_mustTellGone) ? 1 : 0;
            BinaryPrimitives.WriteUInt16LittleEndian(message[ConsoleDevice.MessageValue..], (ushort)value);
            if (what == ConsoleEvent.PortAdd)
                _mustAdd = false;
            else if (what == ConsoleEvent.PortName)
                _mustName = false;
            else
                (_isToldConnected, _mustTellGone) = (value != 0, false);
            if (what != ConsoleEvent.PortName)
                return ConsoleDevice.MessageBytes;
            _name.CopyTo(message[ConsoleDevice.MessageBytes..]);
            return ConsoleDevice.MessageBytes + _name.Length;
        }
    }
}
