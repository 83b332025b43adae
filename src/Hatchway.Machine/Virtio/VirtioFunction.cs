using Hatchway.Machine.Memory;
using Hatchway.Machine.Virtio.Spec;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine.Virtio;

/// <summary>A virtio function's options.</summary>
/// <param name="Packed">Offers drivers the packed layout of queues, beside the split one.</param>
/// <param name="Msix">True for MSI-X, false for the interrupt pin only.</param>
public sealed record VirtioFunctionOptions(bool Packed, bool Msix);

/// <summary>A virtio device as a PCI function (VIRTIO 1.2 §4.1), implemented in software behind an
/// <see cref="AssignedFunction"/>.</summary>
/// <remarks>
/// vCPUs access config space and the BARs; the device's workers call <see cref="Serve"/>. A driver's mistake with a queue makes the device
/// need a reset, and has no other effect.
/// </remarks>
public sealed class VirtioFunction : IHostFunction
{
    private const ulong Offered = Feature.Version1 | Feature.IndirectDescriptors | Feature.EventIndex;

    private readonly IVirtioDevice _device;
    private readonly IVirtioHost _host;
    private readonly VirtioInterrupts _interrupts;
    private readonly CommonConfiguration _common;
    private readonly VirtioConfigSpace _config;
    private readonly VirtioRegion _region;
    private readonly VirtioMsixRegion _msix = new();
    private readonly DescriptorChain[] _buffers;
    private readonly KeptBuffers?[] _kept;

    /// <summary>Makes a PCI function of a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="host">The function's host, with <see cref="VectorsOf"/> vectors.</param>
    /// <param name="memory">The guest's RAM.</param>
    /// <param name="options">The function's options.</param>
    public VirtioFunction(IVirtioDevice device, IVirtioHost host, IGuestMemory memory, VirtioFunctionOptions options)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(options);
        _device = device;
        _host = host;
        _interrupts = new VirtioInterrupts(host);
        Msix = options.Msix ? host.Messages : null;
        var vectors = Msix?.Count ?? 0;
        var offered = device.Features | Offered | (options.Packed ? Feature.PackedRing : 0);
        _common = new CommonConfiguration(device, host, _interrupts, new QueueMemory(memory), offered, vectors);
        _config = new VirtioConfigSpace(device, vectors, _interrupts, _common.SetBusMaster);
        _region = new VirtioRegion(_common, device, _interrupts, host);
        _config.SetWindow(_region);
        _kept = new KeptBuffers?[device.QueueSizes.Count];
        _buffers = new DescriptorChain[device.Workers];
        for (var i = 0; i < _buffers.Length; i++)
            _buffers[i] = new DescriptorChain();
    }

    /// <summary>The number of vectors for a device: one for each queue, and one for the configuration.</summary>
    public static int VectorsOf(IVirtioDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device.QueueSizes.Count + 1;
    }

    /// <inheritdoc/>
    public IHostConfigSpace Config => _config;

    /// <inheritdoc/>
    public IIntxInterrupt? Intx => _interrupts;

    /// <inheritdoc/>
    public IMessageInterrupts? Msi => null;

    /// <inheritdoc/>
    public IMessageInterrupts? Msix { get; }

    /// <summary>True when the driver has broken a queue and must reset the device (§2.1).</summary>
    public bool NeedsReset => _common.NeedsReset;

    /// <inheritdoc/>
    public IHostRegion? Region(BarIndex bar) =>
        bar == VirtioConfigSpace.StructuresBar ? _region
        : bar == VirtioConfigSpace.MsixBar && Msix is not null ? _msix
        : null;

    /// <summary>Stops taking buffers. When it returns, no worker has one.</summary>
    public void Stop() => _common.Stop();

    /// <summary>Counts a queue's buffers given back, and the interrupts raised for them. Any thread.</summary>
    public (long Buffers, long Interrupts) Counted(int queue) => _common.Queue(queue).Counted;

    /// <summary>
    /// Handles a queue's buffers until there are none. A worker calls it when the queue's doorbell has rung, or input has come.
    /// </summary>
    /// <param name="queue">The queue's index.</param>
    /// <param name="worker">0 to the device's number of workers less one; no two threads use the same.</param>
    public void Serve(int queue, int worker)
    {
        var served = _common.Queue(queue);
        if (!served.TryEnter(out var ring))
            return;
        // What a queue is for may depend on what a driver has negotiated. It stays so while a reset waits for this thread, and for as long
        // as the queue has this ring.
        if (_device.KeeperOf(queue) is not { } keeper)
        {
            served.Leave();
            ServeRequests(served, ring, queue, worker);
            return;
        }
        // Such a queue has one worker, which makes these once.
        var kept = _kept[queue] ??= new KeptBuffers(served);
        try
        {
            if (keeper.Serve(kept))
                _host.Ring(queue);
        }
        catch
        {
            kept.Abandon();
            throw;
        }
        finally
        {
            served.Leave();
        }
    }

    private void ServeRequests(VirtioQueue served, IVirtQueue ring, int queue, int worker)
    {
        var buffer = _buffers[worker];
        while (served.TryTake(ring, buffer, out var wake))
        {
            if (wake)
                _host.Ring(queue);
            served.Complete(buffer, Handle(served, queue, worker, buffer));
        }
    }

    // A bug in a device must not make a driver's reset, or the guest's end, wait for a buffer that no worker has.
    private uint Handle(VirtioQueue served, int queue, int worker, DescriptorChain buffer)
    {
        try
        {
            return _device.Handle(queue, worker, buffer);
        }
        catch
        {
            served.Leave();
            throw;
        }
    }
}
