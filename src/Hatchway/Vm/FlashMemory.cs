using Hatchway.Linux;
using Hatchway.Linux.Kvm;
using Hatchway.Machine.Devices;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Hatchway.Vm;

/// <summary>A flash chip's content, mapped into the guest with a read-only memory slot, so that the guest's writes exit to the
/// chip.</summary>
internal sealed class FlashMemory : IFlashMemory, IDisposable
{
    private readonly KvmVm _vm;
    private readonly ulong _start;
    private readonly MemoryFile _file;
    private readonly MemoryMapping _mapping;
    private readonly SafeFileHandle? _kept;
    private readonly ILogger _log;
    private IDisposable? _slot;
    private bool _failed;

    /// <summary>Copies the content; it is not mapped into the guest yet.</summary>
    /// <param name="vm">The VM.</param>
    /// <param name="start">Guest-physical address of the first byte, page-aligned.</param>
    /// <param name="content">The bytes, whole pages; copied.</param>
    /// <param name="kept">The file that changes are written to, or null.</param>
    /// <param name="log">Receives a warning when that fails.</param>
    public FlashMemory(KvmVm vm, ulong start, ReadOnlySpan<byte> content, SafeFileHandle? kept, ILogger log)
    {
        (_vm, _start, _kept, _log) = (vm, start, kept, log);
        _file = MemoryFile.Create("guest flash", (ulong)content.Length);
        _mapping = _file.Map();
        content.CopyTo(Content);
    }

    /// <inheritdoc/>
    public Span<byte> Content => _mapping.Slice(0, (int)_mapping.Length);

    /// <inheritdoc/>
    public void Show() => _slot = _vm.MapMemory(_start, _mapping.Address, _mapping.Length, readOnly: true);

    /// <inheritdoc/>
    public void Hide()
    {
        _slot?.Dispose();
        _slot = null;
    }

    /// <inheritdoc/>
    public bool TryKeep(int offset, int length)
    {
        if (_kept is null)
            return true;
        try
        {
            RandomAccess.Write(_kept, Content.Slice(offset, length), offset);
            return true;
        }
        catch (IOException failure)
        {
            // Warn only once: on a full disk every byte would fail.
            if (!_failed)
                _log.VariablesNotKept(failure.Message);
            _failed = true;
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Hide();
        _mapping.Dispose();
        _file.Dispose();
    }
}
