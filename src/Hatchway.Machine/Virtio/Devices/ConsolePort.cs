using System.Buffers.Binary;
using System.Text;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Virtio.Spec;

namespace Hatchway.Machine.Virtio.Devices;

/// <summary>One port of a console device: bytes both ways between a guest's program and a client of the host's.</summary>
/// <remarks><c>_gate</c> guards what has come and what the guest is to be told; a leaf. <c>arrived</c> is called without it.</remarks>
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
    // Of the buffer that is being sent.
    private ulong _sent;
    private bool _isShort;
    private bool _isConnected;
    private bool _isReady;
    private bool _isOpen;
    private bool _mustAdd;
    private bool _mustName;

    // What the guest believes, and whether it is to hear of a client's end before it hears of the next.
    private bool _isToldConnected;
    private bool _mustTellGone;

    /// <summary>Makes a port.</summary>
    /// <param name="name">What the guest calls it.</param>
    /// <param name="client">Takes what the guest writes.</param>
    /// <param name="arrived">Has the port's receive queue served. Any thread.</param>
    /// <param name="told">Has the control queue served. Any thread.</param>
    /// <param name="drained">Called when there is room again for what <see cref="Receive"/> did not take.</param>
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
            taken = Math.Min(bytes.Length, Room - _count);
            bytes[..taken].CopyTo(_bytes.AsSpan(_count));
            _count += taken;
            _isShort |= taken < bytes.Length;
        }
        if (taken > 0)
            _arrived();
        return taken;
    }

    /// <summary>A client of the host's has come, or gone: the guest's program is told. Any thread.</summary>
    public void SetConnected(bool isConnected)
    {
        lock (_gate)
        {
            _isConnected = isConnected;
            _mustTellGone |= !isConnected && _isToldConnected;
        }
        _told();
    }

    /// <summary>Begins anew for a driver.</summary>
    /// <param name="isOpen">The guest takes what comes, without saying so.</param>
    internal void Restart(bool isOpen)
    {
        bool drained;
        lock (_gate)
        {
            _isReady = _mustAdd = _mustName = _isToldConnected = _mustTellGone = false;
            _isOpen = isOpen;
            // What came for the driver before is not this one's.
            _count = 0;
            _sent = 0;
            drained = _isShort;
            _isShort = false;
        }
        if (drained)
            _drained();
    }

    /// <summary>Hands on what the guest has written to a buffer, from where the client would take no more of it.
    /// By the device's thread.</summary>
    /// <returns>False when the client takes no more again.</returns>
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

    /// <summary>The driver knows several ports, and wants to hear of this one.</summary>
    internal void Announce()
    {
        lock (_gate)
            _mustAdd = true;
    }

    /// <summary>The driver has this port, and wants to hear of it.</summary>
    internal void SetReady()
    {
        lock (_gate)
        {
            _isReady = _mustName = true;
            _isToldConnected = _mustTellGone = false;
        }
    }

    /// <summary>A program of the guest's has opened the port, or closed it: what comes for a closed one would be lost.</summary>
    internal void SetOpen(bool isOpen)
    {
        lock (_gate)
            _isOpen = isOpen;
        _arrived();
    }

    /// <summary>Moves what has come into a buffer.</summary>
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
            drained = _isShort;
            _isShort = false;
        }
        if (drained)
            _drained();
        return moved;
    }

    /// <summary>Writes what the guest is to be told next, as a control message.</summary>
    /// <param name="number">The port's.</param>
    /// <param name="message">Takes it; with room for the longest name.</param>
    /// <returns>Its bytes; 0 when there is nothing.</returns>
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
