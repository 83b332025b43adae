using Hatchway.Machine.Virtio.Spec;
using Hatchway.Pci.Address;

namespace Hatchway.Machine.Virtio;

/// <summary>The common configuration (VIRTIO 1.2 §4.1.4.3) and what its registers control: negotiation, queues, reset (§3.1).</summary>
/// <remarks>
/// <c>_gate</c> serialises vCPUs. It is held while a reset waits for workers to give up their buffers, so a worker must never take it.
/// </remarks>
internal sealed class CommonConfiguration
{
    private readonly Lock _gate = new();
    private readonly IVirtioDevice _device;
    private readonly IVirtioHost _host;
    private readonly VirtioInterrupts _interrupts;
    private readonly QueueMemory _memory;
    private readonly ulong _offered;
    private readonly int _vectors;
    private readonly VirtioQueue[] _queues;
    private readonly Setup[] _setups;
    private uint _deviceFeatureSelect;
    private uint _driverFeatureSelect;
    private ulong _driverFeatures;
    private ushort _queueSelect;
    private DeviceStatus _status;
    private bool _isBusMaster;
    private volatile bool _needsReset;
    private volatile ushort _configurationVector = VirtioPci.NoVector;

    public CommonConfiguration(
        IVirtioDevice device, IVirtioHost host, VirtioInterrupts interrupts, QueueMemory memory, ulong offered, int vectors)
    {
        _vectors = vectors;
        (_device, _host, _interrupts, _memory, _offered) = (device, host, interrupts, memory, offered);
        _setups = new Setup[device.QueueSizes.Count];
        _queues = new VirtioQueue[_setups.Length];
        for (var i = 0; i < _queues.Length; i++)
            _queues[i] = new VirtioQueue(interrupts, device.WorkerOf(i) is null ? device.Workers : 1, NeedReset);
        ForgetDriver();
    }

    public VirtioQueue Queue(int index) => _queues[index];

    public bool NeedsReset => _needsReset;

    // Each field is accessed at its own width, and a 64-bit field as two of 32 bits (§4.1.3.1); the offset determines the width.
    public bool TryRead(int offset, AccessWidth width, out ulong value)
    {
        lock (_gate)
        {
            var found = Read(offset, WidthOf(offset));
            value = found is { } there && width == WidthOf(offset) ? there : width.AllOnes();
            return found is not null && width == WidthOf(offset);
        }
    }

    public bool TryWrite(int offset, AccessWidth width, ulong value)
    {
        if (width != WidthOf(offset) || offset >= CommonRegister.Bytes)
            return false;
        lock (_gate)
        {
            switch (offset)
            {
                case CommonRegister.DeviceFeatureSelect:
                    _deviceFeatureSelect = (uint)value;
                    return true;
                case CommonRegister.DriverFeatureSelect:
                    _driverFeatureSelect = (uint)value;
                    return true;
                case CommonRegister.DriverFeature:
                    SetDriverFeatures((uint)value);
                    return true;
                case CommonRegister.ConfigMsixVector:
                    _configurationVector = Vector(value);
                    return true;
                case CommonRegister.DeviceStatus:
                    SetStatus((DeviceStatus)value);
                    return true;
                case CommonRegister.QueueSelect:
                    _queueSelect = (ushort)value;
                    return true;
                default:
                    return _queueSelect < _setups.Length && TryWriteQueue(offset, value);
            }
        }
    }

    /// <summary>Follows the command register's bus master bit, which allows or forbids the function to access memory.</summary>
    public void SetBusMaster(bool isBusMaster)
    {
        lock (_gate)
        {
            if (isBusMaster == _isBusMaster)
                return;
            _isBusMaster = isBusMaster;
            if (!isBusMaster)
                StopQueues();
            else if ((_status & DeviceStatus.DriverOk) != 0 && !_needsReset)
                StartQueues();
        }
    }

    /// <summary>Stops serving all queues. When it returns, the guest's memory is no longer accessed.</summary>
    public void Stop()
    {
        lock (_gate)
            StopQueues();
    }

    /// <summary>Restores the state after power-on. When it returns, the guest's memory is no longer accessed.</summary>
    private void Reset()
    {
        lock (_gate)
        {
            StopQueues();
            _device.Reset();
            ForgetDriver();
            _interrupts.TakeStatus();
        }
    }

    private static AccessWidth WidthOf(int offset) => offset switch
    {
        CommonRegister.DeviceStatus or CommonRegister.ConfigGeneration => AccessWidth.Byte,
        < CommonRegister.ConfigMsixVector => AccessWidth.Dword,
        >= CommonRegister.QueueDescriptors and < CommonRegister.QueueNotifyData => AccessWidth.Dword,
        _ => AccessWidth.Word,
    };

    private ulong? Read(int offset, AccessWidth width) => offset switch
    {
        CommonRegister.DeviceFeatureSelect => _deviceFeatureSelect,
        CommonRegister.DeviceFeature => Half(_offered, _deviceFeatureSelect),
        CommonRegister.DriverFeatureSelect => _driverFeatureSelect,
        CommonRegister.DriverFeature => Half(_driverFeatures, _driverFeatureSelect),
        CommonRegister.ConfigMsixVector => _configurationVector,
        CommonRegister.QueueCount => (ulong)_setups.Length,
        CommonRegister.DeviceStatus => (ulong)(_needsReset ? _status | DeviceStatus.NeedsReset : _status),
        CommonRegister.ConfigGeneration => 0,
        CommonRegister.QueueSelect => _queueSelect,
        >= CommonRegister.Bytes => null,
        // A queue that does not exist has size 0 (§4.1.5.1.3).
        _ => _queueSelect < _setups.Length ? ReadQueue(offset, ref _setups[_queueSelect]) : offset % (int)width == 0 ? 0 : null,
    };

    private ulong? ReadQueue(int offset, ref Setup setup) => offset switch
    {
        CommonRegister.QueueSize => setup.Size,
        CommonRegister.QueueMsixVector => _queues[_queueSelect].Vector,
        CommonRegister.QueueEnable => setup.IsEnabled ? 1u : 0u,
        CommonRegister.QueueNotifyOffset or CommonRegister.QueueNotifyData => _queueSelect,
        CommonRegister.QueueReset => 0,
        _ when IsArea(offset) => Half(Area(ref setup, offset), HalfAt(offset)),
        _ => null,
    };

    private bool TryWriteQueue(int offset, ulong value)
    {
        ref var setup = ref _setups[_queueSelect];
        if (offset == CommonRegister.QueueMsixVector)
        {
            _queues[_queueSelect].Vector = Vector(value);
            return true;
        }
        // An enabled queue can't be changed until the device is reset (§4.1.4.3.2).
        if (setup.IsEnabled)
            return false;
        switch (offset)
        {
            case CommonRegister.QueueSize when value > 0 && value <= _device.QueueSizes[_queueSelect]:
                setup.Size = (ushort)value;
                return true;
            case CommonRegister.QueueEnable when value == 1:
                setup.IsEnabled = true;
                // A driver may set a queue up while the device runs, as OVMF's does with a port's (OvmfPkg/VirtioSerialDxe).
                if ((_status & DeviceStatus.DriverOk) != 0)
                {
                    MakeRing(ref setup);
                    if (_isBusMaster && !_needsReset)
                        StartQueue(_queueSelect);
                }
                return true;
            case var _ when IsArea(offset):
                SetHalf(ref Area(ref setup, offset), HalfAt(offset), (uint)value);
                return true;
            default:
                return false;
        }
    }

    // An area's address is accessed by halves of 32 bits.
    private static bool IsArea(int offset) =>
        offset is >= CommonRegister.QueueDescriptors and < CommonRegister.QueueNotifyData && offset % sizeof(uint) == 0;

    private static ref ulong Area(ref Setup setup, int offset) =>
        ref offset < CommonRegister.QueueDriver ? ref setup.Descriptors
        : ref offset < CommonRegister.QueueDevice ? ref setup.Driver
        : ref setup.Device;

    private static uint HalfAt(int offset) => (uint)offset / sizeof(uint) % 2;

    // There are no features beyond bit 63.
    private static ulong Half(ulong field, uint half) => half > 1 ? 0 : (uint)(field >> (int)(32 * half));

    private static void SetHalf(ref ulong field, uint half, uint value)
    {
        var shift = (int)(32 * half);
        field = (field & ~((ulong)uint.MaxValue << shift)) | ((ulong)value << shift);
    }

    private void SetDriverFeatures(uint value)
    {
        // After FEATURES_OK the negotiated features are fixed (§3.1.1).
        if (_driverFeatureSelect > 1 || (_status & DeviceStatus.FeaturesOk) != 0)
            return;
        SetHalf(ref _driverFeatures, _driverFeatureSelect, value);
    }

    // A vector that does not exist reads back as none, which tells the driver that it failed (§4.1.5.1.2.1).
    private ushort Vector(ulong value) => value < (ulong)_vectors ? (ushort)value : VirtioPci.NoVector;

    private void SetStatus(DeviceStatus value)
    {
        if (value == DeviceStatus.None)
        {
            Reset();
            return;
        }
        // A driver sets bits, and clears them only by a reset (§2.1.1).
        var added = value & ~_status & ~DeviceStatus.NeedsReset;
        if ((added & DeviceStatus.FeaturesOk) != 0
            && ((_driverFeatures & ~_offered) != 0 || (_driverFeatures & Feature.Version1) == 0))
            added &= ~DeviceStatus.FeaturesOk;
        // DRIVER_OK has no effect before features are agreed upon (§3.1.1).
        if (((_status | added) & DeviceStatus.FeaturesOk) == 0)
            added &= ~DeviceStatus.DriverOk;
        _status |= added;
        if ((added & DeviceStatus.DriverOk) == 0)
            return;
        _device.Start(_driverFeatures);
        foreach (ref var setup in _setups.AsSpan())
            MakeRing(ref setup);
        if (_isBusMaster && !_needsReset)
            StartQueues();
    }

    private void MakeRing(ref Setup setup)
    {
        if (!setup.IsEnabled)
            return;
        var settings = new QueueSettings(setup.Size, setup.Descriptors, setup.Driver, setup.Device, _driverFeatures);
        setup.Ring = (_driverFeatures & Feature.PackedRing) != 0
            ? PackedQueue.TryCreate(_memory, settings)
            : SplitQueue.TryCreate(_memory, settings);
        if (setup.Ring is null)
            NeedReset();
    }

    private void StartQueues()
    {
        for (var i = 0; i < _queues.Length; i++)
            StartQueue(i);
    }

    private void StartQueue(int index)
    {
        if (_setups[index].Ring is not { } ring)
            return;
        _queues[index].Start(ring);
        // Buffers offered before this had no notification that counted.
        _host.Ring(index);
    }

    private void StopQueues()
    {
        foreach (var queue in _queues)
            queue.Stop();
    }

    private void ForgetDriver()
    {
        _deviceFeatureSelect = _driverFeatureSelect = 0;
        _driverFeatures = 0;
        _queueSelect = 0;
        _status = DeviceStatus.None;
        _needsReset = false;
        _configurationVector = VirtioPci.NoVector;
        for (var i = 0; i < _setups.Length; i++)
        {
            _setups[i] = new Setup { Size = _device.QueueSizes[i] };
            _queues[i].Vector = VirtioPci.NoVector;
        }
    }

    // Workers also call this, with a queue's lock held, so it waits for nothing. The driver gets a configuration change (§2.1.2).
    private void NeedReset()
    {
        _needsReset = true;
        _interrupts.Raise(_configurationVector, VirtioPci.IsrConfiguration);
    }

    private struct Setup
    {
        public ushort Size;
        public ulong Descriptors;
        public ulong Driver;
        public ulong Device;
        public bool IsEnabled;
        public IVirtQueue? Ring;
    }
}
