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

/// <summary>A virtio device at its place on the guest's bus, with threads of its own.</summary>
/// <remarks>
/// A queue's doorbell is an eventfd, which KVM signals when the guest writes there: no vCPU leaves the guest. Each worker waits for all
/// doorbells of its queues, what comes for them, and the wish to stop; a doorbell that is several workers' wakes one of them, or few.
/// </remarks>
internal sealed class VirtioSlotDevice : IVirtioHost, IDisposable
{
    private const int StopToken = -1;

    // With a queue's number: its input is meant, not its doorbell.
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

    /// <param name="parts">What it is made of.</param>
    /// <param name="make">Makes what it is.</param>
    /// <param name="inputs">Files that are readable when something has come for a queue.</param>
    /// <param name="backend">What the device works on, from now on this one's: disposed after the last request, or if this throws.</param>
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
            // Before the guest runs: it may detach a file that is an input, and such a one can't be waited for any more (tun_chr_poll).
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

    /// <summary>What a device needs of the machine.</summary>
    /// <param name="Name">For people.</param>
    /// <param name="Model">As the user knows it.</param>
    /// <param name="Vm">The VM.</param>
    /// <param name="Routes">Its interrupt routes.</param>
    /// <param name="Ram">Its RAM.</param>
    /// <param name="Map">Its address spaces.</param>
    /// <param name="Line">The wire of the interrupt pin.</param>
    /// <param name="InterruptLine">What firmware writes to the interrupt line register.</param>
    /// <param name="MultiFunction">The slot holds other functions, too.</param>
    /// <param name="Options">What is offered to the guest.</param>
    /// <param name="Failed">Ends the guest, for a mistake of ours.</param>
    /// <param name="Log">Where limitations are told.</param>
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

    /// <summary>For people.</summary>
    public string Name { get; }

    /// <summary>As the user knows it: virtio-blk.</summary>
    public string Model { get; }

    /// <summary>What it counts, by name. Any thread.</summary>
    public IReadOnlyList<(string Name, long Value)> Counters => _device.Counters;

    /// <summary>Of each queue: buffers given back, and interrupts raised for them. Any thread.</summary>
    public IEnumerable<(long Buffers, long Interrupts)> Queues => Enumerable.Range(0, _doorbells.Length).Select(_function.Counted);

    /// <summary>What the guest sees.</summary>
    public AssignedFunction Guest { get; }

    public IMessageInterrupts Messages => _messages;

    public IInterruptLine Line { get; }

    public void Signal(int vector) => _messages.Signal(vector);

    public void Ring(int queue) => _doorbells[queue].Signal();

    public IDisposable? TryWireDoorbell(int queue, ulong guestPhysical)
    {
        try
        {
            // A write of any width: the value is the queue's number, which the address says already (VIRTIO 1.2 §4.1.5.2).
            return _vm.AssignIoEventFd(_doorbells[queue], guestPhysical, 0, isPort: false);
        }
        catch (LinuxException)
        {
            // The write then comes by an exit.
            return null;
        }
    }

    /// <summary>Takes it from the guest, lets requests in flight end, and closes it.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        Guest.Dispose();
        // What the guest has asked for and no worker has begun is not done any more.
        _function.Stop();
        Close();
    }

    private T Own<T>(T part)
        where T : IDisposable
    {
        _owned.Push(part);
        return part;
    }

    // Of a device that was made in part, too.
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
        // By the thread itself: the kernel's name of another is a file, which the sandbox keeps closed.
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
                    // Another worker may have been quicker.
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
