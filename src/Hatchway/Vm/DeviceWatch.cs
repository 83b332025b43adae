using Hatchway.Linux;
using Microsoft.Extensions.Logging;

namespace Hatchway.Vm;

/// <summary>Watches a running guest's devices for two events: the host wants one back, or one reports an error.</summary>
/// <remarks>
/// One thread waits for all devices. A device that the host wants back is removed from the guest at once: unbinding or removing it on the
/// host waits for that. The guest and its other devices run on.
/// </remarks>
internal sealed class DeviceWatch : IDisposable
{
    private const int Stop = -1;

    private readonly IReadOnlyList<PassthruDevice> _devices;
    private readonly ILogger _log;
    private readonly Epoll _epoll = Epoll.Create();
    private readonly EventFd _stop = EventFd.Create();
    private readonly Thread _thread;

    /// <param name="devices">The guest's devices.</param>
    /// <param name="log">Receives what happened.</param>
    public DeviceWatch(IReadOnlyList<PassthruDevice> devices, ILogger log)
    {
        _devices = devices;
        _log = log;
        _epoll.TryAdd(_stop, Stop);
        for (var i = 0; i < devices.Count; i++)
        {
            if (devices[i].ReturnRequested is { } request)
                _epoll.TryAdd(request, Token(i, isError: false));
            if (devices[i].ErrorReported is { } error)
                _epoll.TryAdd(error, Token(i, isError: true));
        }
        // A background thread: while a handler holds a vCPU, the process may end without disposing this.
        _thread = new Thread(Watch) { Name = "device watch", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Ends the watch. A removal in progress is complete when this returns.</summary>
    public void Dispose()
    {
        _stop.Signal();
        _thread.Join();
        _epoll.Dispose();
        _stop.Dispose();
    }

    private static int Token(int device, bool isError) => (2 * device) + (isError ? 1 : 0);

    private void Watch()
    {
        // One event at a time: removing a device removes its other token, too.
        Span<int> token = stackalloc int[1];
        while (true)
        {
            _epoll.Wait(token, Timeout.InfiniteTimeSpan);
            if (token[0] == Stop)
                return;
            var device = _devices[token[0] / 2];
            if (token[0] == Token(token[0] / 2, isError: true))
                ReportError(device);
            else
                Surrender(device);
        }
    }

    private void ReportError(PassthruDevice device)
    {
        device.ErrorReported!.Take();
        _log.UncorrectableError(device.Host.Address);
    }

    private void Surrender(PassthruDevice device)
    {
        try
        {
            // Closing would remove the files from the epoll, but only with their last descriptor, and the kernel may hold others.
            _epoll.Remove(device.ReturnRequested!);
            if (device.ErrorReported is { } error)
                _epoll.Remove(error);
            device.Dispose();
            _log.GivenBack(device.Host.Address, device.Slot.Slot, device.Slot.Function);
            // The kernel resets no bus of which it is letting a device go, nor one on which others are open.
            if (!device.Function.HasOwnReset)
                _log.GivenBackAsLeft(device.Host.Address);
        }
        catch (LinuxException failure)
        {
            _log.NotGivenBack(device.Host.Address, failure.Message);
        }
    }
}
