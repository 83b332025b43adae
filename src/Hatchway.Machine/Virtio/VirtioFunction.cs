using Hatchway.Machine.Memory;
using Hatchway.Machine.Virtio.Spec;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Topology;

namespace Hatchway.Machine.Virtio;

/// <summary>What a virtio function offers, where there is a choice.</summary>
/// <param name="Packed">The packed layout of queues is offered to drivers, beside the split one.</param>
/// <param name="Msix">It has MSI-X; else its interrupt pin only.</param>
public sealed record VirtioFunctionOptions(bool Packed, bool Msix);

/// <summary>A virtio device as a PCI function (VIRTIO 1.2 §4.1): a function in software behind an <see cref="AssignedFunction"/>.</summary>
/// <remarks>
/// vCPUs come by config space and the BAR; the device's workers by <see cref="Serve"/>. What a driver does wrong with a queue ends in the
/// device's need of a reset, and in nothing more.
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
    private readonly DescriptorChain[] _buffers;
    private readonly KeptBuffers?[] _kept;

    /// <summary>Makes a device into a function.</summary>
    /// <param name="device">The device.</param>
    /// <param name="host">What it needs; it has <see cref="VectorsOf"/> vectors.</param>
    /// <param name="memory">The guest's RAM.</param>
    /// <param name="options">What is offered.</param>
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

    /// <summary>The vectors of a device: one for each queue, and one for the configuration.</summary>
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

    /// <summary>The driver has broken a queue and must reset the device (§2.1).</summary>
    public bool NeedsReset => _common.NeedsReset;

    /// <inheritdoc/>
    public IHostRegion? Region(BarIndex bar) => bar.Value == 0 ? _region : null;

    /// <summary>Takes no buffer any more. When it returns, none is in a worker's hands.</summary>
    public void Stop() => _common.Stop();

    /// <summary>Of a queue: buffers given back, and interrupts raised for them. Any thread.</summary>
    public (long Buffers, long Interrupts) Counted(int queue) => _common.Queue(queue).Counted;

    /// <summary>
    /// Handles the buffers of a queue until there are none. A worker calls when the queue's doorbell has rung, or something has come.
    /// </summary>
    /// <param name="queue">Which.</param>
    /// <param name="worker">0 to the device's number of workers less one; no two threads have the same.</param>
    public void Serve(int queue, int worker)
    {
        var buffer = _buffers[worker];
        var served = _common.Queue(queue);
        if (_device.KeeperOf(queue) is { } keeper)
        {
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
            return;
        }
        while (served.TryTake(buffer, out var wake))
        {
            if (wake)
                _host.Ring(queue);
            served.Complete(buffer, Handle(served, queue, worker, buffer));
        }
    }

    // A mistake of ours must not keep a driver's reset, or the guest's end, waiting for a buffer that nobody has.
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
