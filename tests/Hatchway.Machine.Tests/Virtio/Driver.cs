using Hatchway.Machine.Tests.Boot;
using Hatchway.Machine.Virtio;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Spec;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine.Tests.Virtio;

/// <summary>The features that a driver negotiates, and the queue that it sets up.</summary>
internal sealed record DriverOptions(
    bool Packed = false, bool EventIndex = true, bool Indirect = true, ushort QueueSize = 8, bool Msix = true, ushort Queue = 0);

/// <summary>A guest's driver of a virtio function: finds the structures by their capabilities, negotiates, and sets up a queue.</summary>
internal sealed class Driver : IDisposable
{
    public const ulong Bar = 0xC000_0000;
    private const uint MsixBar = 0xC001_0000;
    private const ulong MoreRings = 0x8_0000;
    public const byte Acknowledge = 1;
    public const byte HasDriver = 2;
    public const byte DriverOk = 4;
    public const byte FeaturesOk = 8;
    public const byte NeedsReset = 64;

    private readonly Dictionary<int, int> _structures = [];
    private ushort _queue;

    public Driver(Func<QueueMemory, IVirtioDevice> make, bool msix = true)
    {
        var device = make(new QueueMemory(Memory));
        Host = new FakeHost(VirtioFunction.VectorsOf(device));
        Virtio = new VirtioFunction(device, Host, Memory, new VirtioFunctionOptions(Packed: true, msix));
        Function = new AssignedFunction(Virtio, Host, new BarHandlerList(), new AssignedOptions());
        SetConfig(Header.Bar0, AccessWidth.Dword, unchecked((uint)Bar));
        SetConfig(Header.Bar0 + (2 * sizeof(uint)), AccessWidth.Dword, MsixBar);
        SetConfig(Header.Command, AccessWidth.Word, (uint)(CommandBits.Memory | CommandBits.BusMaster));
        FindStructures();
        Window = WindowOf(GetConfig(_structures[1] + 4, AccessWidth.Byte));
    }

    public ArrayMemory Memory { get; } = new(1 << 20);

    public FakeHost Host { get; }

    public VirtioFunction Virtio { get; }

    public AssignedFunction Function { get; }

    /// <summary>The BAR of the structures.</summary>
    public BarWindow Window { get; }

    public DriverRing Ring { get; private set; } = null!;

    public byte Status
    {
        get => (byte)Common(0x14, AccessWidth.Byte);
        set => SetCommon(0x14, AccessWidth.Byte, value);
    }

    public ulong DeviceFeatures
    {
        get
        {
            SetCommon(0, AccessWidth.Dword, 0);
            var low = Common(4, AccessWidth.Dword);
            SetCommon(0, AccessWidth.Dword, 1);
            return low | (Common(4, AccessWidth.Dword) << 32);
        }
    }

    /// <summary>Offset of a structure (VIRTIO 1.2 §4.1.4) in the BAR: 1 common, 2 notify, 3 ISR, 4 device.</summary>
    public ulong At(int type) => GetConfig(_structures[type] + 8, AccessWidth.Dword);

    /// <summary>The MSI-X capability's offset in config space; 0 when there is none.</summary>
    public int MsixAt
    {
        get
        {
            var msix = 0;
            Walk((at, id) => msix = id == (int)CapabilityId.Msix ? at : msix);
            return msix;
        }
    }

    /// <summary>Reads MSI-X's table or pending bits, where the capability says that they are.</summary>
    /// <param name="part"><see cref="Msix.Table"/> or <see cref="Msix.Pba"/>.</param>
    /// <param name="at">Bytes from its start.</param>
    /// <param name="width">Of the access.</param>
    public ulong GetMsix(int part, uint at, AccessWidth width)
    {
        var place = GetConfig(MsixAt + part, AccessWidth.Dword);
        return WindowOf(place & Msix.BirMask).Read((place & ~Msix.BirMask) + at, width);
    }

    /// <summary>Writes to MSI-X's table.</summary>
    public void SetMsix(uint at, uint value)
    {
        var place = GetConfig(MsixAt + Msix.Table, AccessWidth.Dword);
        WindowOf(place & Msix.BirMask).Write((place & ~Msix.BirMask) + at, AccessWidth.Dword, value);
    }

    /// <summary>The offset of a structure's capability in config space.</summary>
    public int Capability(int type) => _structures[type];

    public uint GetConfig(int at, AccessWidth width) => Function.ReadConfig(new((ushort)at), width);

    public void SetConfig(int at, AccessWidth width, uint value) => Function.WriteConfig(new((ushort)at), width, value);

    public ulong Common(int at, AccessWidth width) => Window.Read(At(1) + (uint)at, width);

    public void SetCommon(int at, AccessWidth width, ulong value) => Window.Write(At(1) + (uint)at, width, value);

    /// <summary>The rings of the queues that were set up beside <see cref="Ring"/>, by their indices:
    /// split rings without indirect tables.</summary>
    public Dictionary<int, SplitDriver> More { get; } = [];

    /// <summary>Brings the device to DRIVER_OK (§3.1.1), with vector 1 for its queue and vector 0 for the configuration.</summary>
    public void Start(DriverOptions options, ulong deviceFeatures = 0, params ReadOnlySpan<ushort> more)
    {
        Status = 0;
        Assert.Equal(0, Status);
        Ring = options.Packed ? new PackedDriver(Memory, options.QueueSize) : new SplitDriver(Memory, options.QueueSize);
        Memory.Slice(DriverRing.Descriptors, 0x8000).Clear();
        if (options.Msix)
            UnmaskVectors();
        Status = Acknowledge | HasDriver;
        Negotiate((1ul << 32) | deviceFeatures | (options.Packed ? 1ul << 34 : 0)
            | (options.EventIndex ? 1ul << 29 : 0) | (options.Indirect ? 1ul << 28 : 0));
        Assert.Equal(FeaturesOk, Status & FeaturesOk);
        _queue = options.Queue;
        SetUpQueue(_queue, options.QueueSize, DriverRing.Descriptors, DriverRing.Driver, DriverRing.Device);
        More.Clear();
        foreach (var queue in more)
        {
            var start = MoreRings + ((ulong)More.Count * 0x8000);
            Memory.Slice(start, 0x8000).Clear();
            More.Add(queue, new SplitDriver(Memory, options.QueueSize, start));
            SetUpQueue(queue, options.QueueSize, start + DriverRing.Descriptors, start + DriverRing.Driver, start + DriverRing.Device);
        }
        Status |= DriverOk;
        Host.Rung.Clear();
    }

    public void Negotiate(ulong features)
    {
        SetCommon(8, AccessWidth.Dword, 0);
        SetCommon(0xC, AccessWidth.Dword, (uint)features);
        SetCommon(8, AccessWidth.Dword, 1);
        SetCommon(0xC, AccessWidth.Dword, features >> 32);
        Status |= FeaturesOk;
    }

    public void SetUpQueue(ushort queue, ushort size, ulong descriptors, ulong driver, ulong device)
    {
        SetCommon(0x10, AccessWidth.Word, 0);
        SetCommon(0x16, AccessWidth.Word, queue);
        SetCommon(0x18, AccessWidth.Word, size);
        SetCommon(0x1A, AccessWidth.Word, 1);
        SetCommon(0x20, AccessWidth.Dword, (uint)descriptors);
        SetCommon(0x24, AccessWidth.Dword, descriptors >> 32);
        SetCommon(0x28, AccessWidth.Dword, (uint)driver);
        SetCommon(0x2C, AccessWidth.Dword, driver >> 32);
        SetCommon(0x30, AccessWidth.Dword, (uint)device);
        SetCommon(0x34, AccessWidth.Dword, device >> 32);
        SetCommon(0x1C, AccessWidth.Word, 1);
    }

    /// <summary>Notifies of its queue with a write that reaches the function, and serves the queues that it rings.</summary>
    public void Notify()
    {
        Window.Write(At(2) + (4ul * _queue), AccessWidth.Word, _queue);
        Serve();
    }

    /// <summary>Notifies of another queue.</summary>
    public void Notify(int queue)
    {
        Window.Write(At(2) + (4ul * (uint)queue), AccessWidth.Word, (uint)queue);
        Serve();
    }

    /// <summary>Does the work of the device's threads.</summary>
    public void Serve()
    {
        while (Host.Rung.TryDequeue(out var queue))
            Virtio.Serve(queue, 0);
    }

    public void Dispose() => Function.Dispose();

    private void UnmaskVectors()
    {
        SetConfig(MsixAt + Msix.Control, AccessWidth.Word, Msix.Enable);
        for (var vector = 0u; vector < 2; vector++)
            SetMsix((vector * Msix.EntryBytes) + 12, 0);
    }

    private BarWindow WindowOf(uint bar) => Function.Windows.Single(window => window.Bar.Index.Value == bar);

    private void FindStructures() => Walk((at, id) =>
    {
        if (id == (int)CapabilityId.VendorSpecific)
            _structures[(int)GetConfig(at + 3, AccessWidth.Byte)] = at;
    });

    private void Walk(Action<int, int> visit)
    {
        for (var at = (int)GetConfig(Header.CapabilitiesPointer, AccessWidth.Byte); at != 0; at = (int)GetConfig(at + 1, AccessWidth.Byte))
            visit(at, (int)GetConfig(at, AccessWidth.Byte));
    }
}
