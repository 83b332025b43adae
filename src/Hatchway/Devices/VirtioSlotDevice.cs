using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Machine.Devices;
using Hatchway.Machine.Memory;
using Hatchway.Machine.Virtio;
using Hatchway.Passthrough.Kvm;
using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Topology;
using Microsoft.Extensions.Logging;

namespace Hatchway.Devices;

/// <summary>A virtio device in its slot of the guest's bus, with its worker threads.</summary>
/// <remarks>
/// A queue's doorbell is an eventfd, which KVM signals when the guest writes to it, without an exit to user space. Each worker waits for
/// the doorbells and inputs of its queues, and for the request to stop. A doorbell shared by several workers wakes one of them, or a few.
/// </remarks>
internal sealed class VirtioSlotDevice : IVirtioHost, IDisposable
{
    private const int StopToken = -1;

    // Added to a queue's number, means the queue's input instead of its doorbell.
    private const int InputToken = 1 << 16;

    private readonly KvmVm _vm;
    private readonly Action<string> _failed;
    private readonly Stack<IDisposable> _owned = [];
    private readonly SoftwareMessageInterrupts _messages;
    private readonly EventFd[] _doorbells;
    private readonly EventFd _stop;
    private readonly VirtioFunction _function;
    private readonly IVirtioDevice _device;
    private readonly List<Thread> _threads = [];
    private bool _isDisposed;

    /// <param name="parts">The parts of the machine that it uses.</param>
    /// <param name="make">Makes the device.</param>
    /// <param name="inputs">Files that are readable when a queue has input.</param>
    /// <param name="backend">The device's backend, which this object now owns: disposed after the last request, or if this throws.</param>
    public VirtioSlotDevice(
        Parts parts, Func<IVirtioDevice> make, IReadOnlyList<(int Queue, FileDescriptor File)> inputs, IDisposable? backend)
    {
        _vm = parts.Vm;
        _failed = parts.Failed;
        Line = parts.Line;
        (Name, Model) = (parts.Name, parts.Model);
        try
        {
            if (backend is not null)
                Own(backend);
            var device = _device = make();
            _stop = Own(EventFd.Create());
            _doorbells = EventFd.Create(device.QueueSizes.Count);
            foreach (var doorbell in _doorbells)
                Own(doorbell);
            _messages = Own(new SoftwareMessageInterrupts(
                parts.Name, VirtioFunction.VectorsOf(device), parts.Vm, parts.Routes, parts.Log));
            _function = new VirtioFunction(device, this, parts.Ram, parts.Options);
            var options = new AssignedOptions { MultiFunction = parts.MultiFunction };
            Guest = new AssignedFunction(_function, parts.Map, new BarHandlerList(), options);
            Guest.SetInterruptLine(parts.InterruptLine);
            // Before the guest runs: the guest may detach a tap's queue, which can't be added to an epoll after that (tun_chr_poll).
            var waits = new Epoll[device.Workers];
            for (var i = 0; i < waits.Length; i++)
                waits[i] = MakeWait(i, inputs);
            for (var i = 0; i < waits.Length; i++)
            {
                var worker = i;
                var thread = new Thread(() => Work(worker, waits[worker])) { IsBackground = true };
                thread.Start();
                _threads.Add(thread);
            }
        }
        catch
        {
            Close();
            throw;
        }
    }

    /// <summary>The parts of the machine that a device uses.</summary>
    /// <param name="Name">The device's name, for people.</param>
    /// <param name="Model">The emulation's name.</param>
    /// <param name="Vm">The VM.</param>
    /// <param name="Routes">Its interrupt routes.</param>
    /// <param name="Ram">Its RAM.</param>
    /// <param name="Map">Its address spaces.</param>
    /// <param name="Line">The wire of its interrupt pin.</param>
    /// <param name="InterruptLine">The value that firmware would write to the interrupt line register.</param>
    /// <param name="MultiFunction">True when the slot holds other functions, too.</param>
    /// <param name="Options">The function's options.</param>
    /// <param name="Failed">Ends the guest after an internal error.</param>
    /// <param name="Log">Receives limitations.</param>
    public sealed record Parts(
        string Name,
        string Model,
        KvmVm Vm,
        InterruptRoutes Routes,
        IGuestMemory Ram,
        IGuestAddressMap Map,
        IInterruptLine Line,
        byte InterruptLine,
        bool MultiFunction,
        VirtioFunctionOptions Options,
        Action<string> Failed,
        ILogger Log);

    /// <summary>The device's name, for people.</summary>
    public string Name { get; }

    /// <summary>The emulation's name, as virtio-blk.</summary>
    public string Model { get; }

    /// <summary>The device's counters, by name. Any thread.</summary>
    public IReadOnlyList<(string Name, long Value)> Counters => _device.Counters;

    /// <summary>For each queue: buffers given back, and interrupts raised for them. Any thread.</summary>
    public IEnumerable<(long Buffers, long Interrupts)> Queues => Enumerable.Range(0, _doorbells.Length).Select(_function.Counted);

    /// <summary>The guest's function.</summary>
    public AssignedFunction Guest { get; }

    public IMessageInterrupts Messages => _messages;

    public IInterruptLine Line { get; }

    public void Signal(int vector) => _messages.Signal(vector);

    public void Ring(int queue) => _doorbells[queue].Signal();

    public IDisposable? TryWireDoorbell(int queue, ulong guestPhysical)
    {
        try
        {
            // Any width will do: the value is the queue's number, which the address already gives (VIRTIO 1.2 §4.1.5.2).
            return _vm.AssignIoEventFd(_doorbells[queue], guestPhysical, 0, isPort: false);
        }
        catch (LinuxException)
        {
            // The write then exits.
            return null;
        }
    }

    /// <summary>Removes the device from the guest, lets requests in progress end, and closes it.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        Guest.Dispose();
        // Requests that no worker has begun are dropped.
        _function.Stop();
        Close();
    }

    private T Own<T>(T part)
        where T : IDisposable
    {
        _owned.Push(part);
        return part;
    }

    // Also closes a device that was made only in part.
    private void Close()
    {
        if (_threads.Count > 0)
            _stop.Signal();
        foreach (var thread in _threads)
            thread.Join();
        while (_owned.TryPop(out var part))
            part.Dispose();
    }

    private Epoll MakeWait(int worker, IReadOnlyList<(int Queue, FileDescriptor File)> inputs)
    {
        var wait = Own(Epoll.Create());
        wait.TryAdd(_stop, StopToken);
        for (var queue = 0; queue < _doorbells.Length; queue++)
        {
            if (_device.WorkerOf(queue) is not { } only)
                wait.TryAdd(_doorbells[queue], queue, exclusive: true);
            else if (only == worker)
                wait.TryAdd(_doorbells[queue], queue);
        }
        // Input that the guest has no buffers for stays there, and must not wake a worker over and over.
        foreach (var (queue, file) in inputs)
        {
            if (_device.WorkerOf(queue) == worker)
                wait.TryAdd(file, queue | InputToken, edge: true);
        }
        return wait;
    }

    private void Work(int worker, Epoll wait)
    {
        // The thread names itself: naming another one writes to a file, which the sandbox keeps closed.
        Thread.CurrentThread.Name = $"{Name} {worker}";
        try
        {
            Span<int> tokens = stackalloc int[8];
            while (true)
            {
                var count = wait.Wait(tokens, Timeout.InfiniteTimeSpan);
                foreach (var token in tokens[..count])
                {
                    if (token == StopToken)
                        return;
                    // Another worker may have taken the doorbell's signal.
                    if ((token & InputToken) != 0 || _doorbells[token].Take() > 0)
                        _function.Serve(token & ~InputToken, worker);
                }
            }
        }
#pragma warning disable CA1031 // A mistake of ours in one request: the guest ends with what went wrong.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            _failed(
                $"a request to the device at {Thread.CurrentThread.Name} was answered wrongly, which is a fault of Hatchway's: "
                + $"{failure.GetType().Name}, {failure.Message}");
        }
    }
}
