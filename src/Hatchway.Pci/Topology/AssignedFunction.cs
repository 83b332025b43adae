using Hatchway.Pci.Address;
using Hatchway.Pci.Bars;
using Hatchway.Pci.Config;
using Hatchway.Pci.Interrupts;
using Hatchway.Pci.Spec;

namespace Hatchway.Pci.Topology;

/// <summary>
/// A function of the host on the guest's bus: config space is mediated, BARs are placed where the guest puts them, and interrupts are
/// delivered as it programs them.
/// </summary>
/// <remarks>
/// <para>
/// <c>_effects</c> serialises the guest's config writes to this function and their effects, so that the last write is always the one in
/// force. Taken under it: the address map's lock, then those of pages; the MSI-X table's gate, then those of the host's interrupts; the
/// mediator's copy lock, a leaf. A read of config space takes the leaf, and <c>_effects</c> only for MSI's pending bits; a read of a BAR
/// takes only its handler's locks.
/// </para>
/// <para>
/// A write's effects are applied in this order: BARs that no longer answer are removed (mappings first, then the target); the host function
/// is written; BARs that now answer are placed; interrupts are switched. So no mapping outlives the host function's decoding.
/// </para>
/// </remarks>
public sealed class AssignedFunction : IPciFunction, IDisposable
{
    private readonly List<string> _flaws = [];
    private readonly IHostFunction _host;
    private readonly IGuestAddressMap _map;
    private readonly ConfigMediator _mediator;
    private readonly BarWindow[] _windows;
    private readonly MsixTable? _msix;
    private readonly ConfigOffset? _msixControl;
    private readonly MsiState? _msi;
    private readonly ConfigOffset? _pendingBits;
    private readonly ConfigOffset? _powerControl;
    private readonly ResetWrites _resets;
    private readonly Lock _effects = new();
    private InterruptMode _mode;
    private volatile bool _gone;

    /// <summary>Creates the guest's side of a host function. No BAR answers until the guest enables decoding.</summary>
    /// <param name="host">The host function.</param>
    /// <param name="map">The guest's address spaces.</param>
    /// <param name="handlers">The user's register handlers; the constructor adds those for MSI-X.</param>
    /// <param name="options">The user's choices.</param>
    /// <exception cref="HandlerException">A handler overlaps the MSI-X table, the pending bits or the registers of
    /// <see cref="MsixBackDoor"/>; the message names both.</exception>
    public AssignedFunction(IHostFunction host, IGuestAddressMap map, BarHandlerList handlers, AssignedOptions options)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(map);
        ArgumentNullException.ThrowIfNull(handlers);
        ArgumentNullException.ThrowIfNull(options);
        _host = host;
        _map = map;
        Chains = CapabilityWalker.Walk(host.Config);
        _resets = new ResetWrites(host.Config, Chains);
        var rom = Rom(options);
        IHostRegion? Region(BarIndex index) => index != BarIndex.Rom ? host.Region(index) : rom;
        var bars = BarDescription.Read(host.Config, Region);
        var msi = Usable(CapabilityId.Msi, host.Msi);
        var msix = Usable(CapabilityId.Msix, host.Msix);
        if (msix is { } msixCapability)
        {
            _msix = AddMsix(msixCapability, bars, handlers);
            _msixControl = new ConfigOffset(msixCapability.Offset) + Msix.Control;
        }
        AddBackDoor(bars, handlers);
        var shape = new AssignedShape(
            bars, host.Intx is not null, msi is null ? 0 : host.Msi!.Count, _msix?.Count ?? 0, options.MultiFunction);
        _mediator = new ConfigMediator(host.Config, AssignedRules.Build(host.Config, Chains, shape));
        if (msi is { } msiCapability)
        {
            _msi = new MsiState(_mediator, msiCapability, host.Msi!);
            var at = new ConfigOffset(msiCapability.Offset);
            var control = (ushort)_mediator.ReadCopy(at + Msi.Control, AccessWidth.Word);
            _pendingBits = (control & Msi.PerVectorMasking) != 0 ? at + Msi.PendingBits(control) : null;
        }
        if (Chains.Find(CapabilityId.PowerManagement) is { Length: >= PowerManagement.Length } power)
            _powerControl = new ConfigOffset(power.Offset) + PowerManagement.ControlStatus;
        _windows = new BarWindow[bars.Count];
        for (var i = 0; i < bars.Count; i++)
            _windows[i] = new BarWindow(bars[i], Region(bars[i].Index)!, handlers, options.TrapSubPage);
        lock (_effects)
            SwitchInterrupts();
    }

    /// <summary>The host function's capability chains, with warnings where they are broken.</summary>
    public CapabilityChains Chains { get; }

    /// <summary>The defects of the host function, a line each, for people: of its capability chains, its MSI-X structures and its
    /// ROM.</summary>
    public IEnumerable<string> Flaws => Chains.Warnings.Concat(_flaws);

    /// <summary>The function's BARs in the guest.</summary>
    public IReadOnlyList<BarWindow> Windows => _windows;

    /// <summary>The kind of interrupt in use, as a word for people.</summary>
    public string InterruptKind => _mode switch
    {
        InterruptMode.Msix => "MSI-X",
        InterruptMode.Msi => "MSI",
        InterruptMode.Intx => "INTx",
        _ => "none",
    };

    /// <inheritdoc/>
    public uint ReadConfig(ConfigOffset offset, AccessWidth width)
    {
        if (_gone)
            return (uint)width.AllOnes();
        var value = _mediator.Read(offset, width);
        // The only field whose value is not stored but computed.
        if (_pendingBits is { } pendingBits && (offset.Value & ~3) == pendingBits.Value)
        {
            var device = _host.Config.Read(pendingBits, AccessWidth.Dword);
            lock (_effects)
                value |= (_msi!.PendingBits(device) >> (8 * (offset.Value & 3))) & (uint)width.AllOnes();
        }
        return value;
    }

    /// <inheritdoc/>
    public void WriteConfig(ConfigOffset offset, AccessWidth width, uint value)
    {
        lock (_effects)
        {
            if (_gone)
                return;
            var wakes = _resets.IsSoftReset(PowerState, offset, width, value);
            var resets = wakes || _resets.IsFunctionLevelReset(offset, width, value);
            var write = _mediator.Write(offset, width, value);
            if (resets)
            {
                CarryReset(write, wakes);
                return;
            }
            if ((write.Effects & ConfigEffects.Decode) != 0)
                RemoveWindows();
            _mediator.Forward(write);
            var setsPowerState = _powerControl is { } control && control.IsIn(offset, width);
            if (setsPowerState)
                FollowPowerState();
            if ((write.Effects & ConfigEffects.Decode) != 0)
                PlaceWindows();
            // The host's kernel can't switch the interrupts of a function that is not in D0, so what the guest wrote waits until then.
            if (PowerState == PowerManagement.D0 && (setsPowerState || (write.Effects & (ConfigEffects.Msi | ConfigEffects.Msix)) != 0))
                SwitchInterrupts();
        }
    }

    /// <summary>Sets the interrupt line register, as firmware does, to the interrupt that the pin is wired to.</summary>
    public void SetInterruptLine(byte line) => _mediator.SetCopy(new(Header.InterruptLine), AccessWidth.Byte, line);

    /// <summary>
    /// Takes the function away from the guest: interrupts are off, no BAR answers, and config space reads as all ones, like that of an
    /// empty slot. The guest may still be running and writing; any thread may call.
    /// </summary>
    public void Dispose()
    {
        lock (_effects)
        {
            _gone = true;
            Wake();
            Disconnect();
        }
    }

    // Carries out a reset by the guest. Nothing may be mapped or bound during it; the guest then finds the function as after power-on.
    private void CarryReset(in ConfigWrite write, bool wakes)
    {
        if (!wakes)
        {
            Wake();
            Disconnect();
        }
        StopDma();
        _mediator.Forward(write);
        // Again, since the host's kernel restores registers that it saved earlier, perhaps while the function still had DMA enabled.
        StopDma();
        // A function that this write woke had no BAR mapped, and its interrupts can only be switched off now.
        if (wakes)
            Disconnect();
        ForgetGuest();
    }

    // Called before interrupts are switched off, for which the host's kernel writes to the function: one in D3hot ignores that.
    private void Wake()
    {
        if (_powerControl is not { } control || PowerState == PowerManagement.D0)
            return;
        StopDma();
        _host.Config.Write(control, AccessWidth.Byte, PowerManagement.D0);
        StopDma();
        FollowPowerState();
    }

    private void Disconnect()
    {
        foreach (var window in _windows)
            window.Remove(_map);
        SwitchTo(InterruptMode.None);
    }

    private void StopDma() => _host.Config.Write(new(Header.Command), AccessWidth.Word, 0);

    private void ForgetGuest()
    {
        _mediator.Reset();
        FollowPowerState();
        _msix?.Reset();
        SwitchInterrupts();
    }

    private IHostRegion? Rom(AssignedOptions options)
    {
        if (options.HideRom)
            return null;
        if (options.Rom is not null || _host.Region(BarIndex.Rom) is not { } own)
            return options.Rom;
        if (!KnownRoms.DoesHarm(_host.Config.ReadWord(Header.VendorId), _host.Config.ReadWord(Header.DeviceId)))
            return own;
        _flaws.Add("its ROM is known to hang a machine, and the guest does not get it: rom=FILE gives it another");
        return null;
    }

    private Capability? Usable(CapabilityId id, IMessageInterrupts? host)
    {
        if (host is null || host.Count == 0 || Chains.Find(id) is not { } capability)
            return null;
        var needed = id == CapabilityId.Msix
            ? Msix.Length
            : Msi.Length(_host.Config.ReadWord(capability.Offset + Msi.Control));
        return capability.Length >= needed ? capability : null;
    }

    private MsixTable? AddMsix(Capability capability, IReadOnlyList<BarDescription> bars, BarHandlerList handlers)
    {
        // The host may offer fewer vectors than the device has.
        var layout = MsixLayout.Read(_host.Config, capability);
        layout = layout with { Count = Math.Min(layout.Count, _host.Msix!.Count) };
        var table = new MsixTable(layout.Count, _host.Msix);
        var (entries, pending) = (layout.TableRange(table), layout.PbaRange(table.Pba));
        if (!LiesInMemoryBar(entries, bars))
        {
            _flaws.Add("its MSI-X table is not in a memory BAR of the function's: it is given without MSI-X");
            return null;
        }
        handlers.Add(entries);
        if (LiesInMemoryBar(pending, bars))
            handlers.Add(pending);
        else
            _flaws.Add("the pending bits of its MSI-X lie in no memory BAR of its: nobody can read them");
        return table;
    }

    private void AddBackDoor(IReadOnlyList<BarDescription> bars, BarHandlerList handlers)
    {
        var vendor = _host.Config.ReadWord(Header.VendorId);
        var device = _host.Config.ReadWord(Header.DeviceId);
        if (MsixBackDoor.RangeOf(vendor, device, new MsixBackDoor(_msix)) is { } range && LiesInMemoryBar(range, bars))
            handlers.Add(range);
    }

    private static bool LiesInMemoryBar(BarHandlerRange range, IReadOnlyList<BarDescription> bars)
    {
        foreach (var bar in bars)
        {
            if (bar.Index == range.Bar && bar.Kind is BarKind.Memory32 or BarKind.Memory64)
                return range.End <= bar.Size;
        }
        return false;
    }

    private void RemoveWindows()
    {
        foreach (var window in _windows)
        {
            if (window.Address is not null && window.Address != Address(window.Bar))
                window.Remove(_map);
        }
    }

    private void PlaceWindows()
    {
        foreach (var window in _windows)
        {
            if (window.Address is null && Address(window.Bar) is { } address)
                window.TryPlace(_map, address);
        }
    }

    // The address that the guest has programmed for a BAR; null when the BAR does not decode or the function is not in D0.
    private ulong? Address(BarDescription bar)
    {
        var command = (CommandBits)_mediator.ReadCopy(new(Header.Command), AccessWidth.Word);
        var needed = bar.Kind == BarKind.Io ? CommandBits.Io : CommandBits.Memory;
        if ((command & needed) == 0 || PowerState != PowerManagement.D0)
            return null;
        var register = (ulong)_mediator.ReadCopy(new(bar.Register), AccessWidth.Dword);
        if (bar.Kind == BarKind.Rom && (register & BarBits.RomEnable) == 0)
            return null;
        if (bar.Kind == BarKind.Memory64)
            register |= (ulong)_mediator.ReadCopy(new((ushort)(bar.Register + 4)), AccessWidth.Dword) << 32;
        return register & bar.AddressMask;
    }

    private uint PowerState =>
        _powerControl is { } control
            ? _mediator.ReadCopy(control, AccessWidth.Word) & PowerManagement.PowerStateMask
            : PowerManagement.D0;

    // Reads the state back, since the function ignores a write of a state that it does not support, such as D1 (§7.5.2.2).
    private void FollowPowerState()
    {
        if (_powerControl is not { } control)
            return;
        _mediator.SetCopy(control, AccessWidth.Byte, _host.Config.Read(control, AccessWidth.Byte) & PowerManagement.PowerStateMask);
    }

    private void SwitchInterrupts()
    {
        var msixControl = _msix is not null && _msixControl is { } control ? _mediator.ReadCopy(control, AccessWidth.Word) : 0;
        // A function uses one kind of interrupt at a time, and software must not enable MSI and MSI-X together (§7.7.1.2, §7.7.2.2); if it
        // does, MSI-X wins.
        SwitchTo((msixControl & Msix.Enable) != 0 ? InterruptMode.Msix
            : _msi is { IsEnabledByGuest: true } ? InterruptMode.Msi
            : _host.Intx is not null ? InterruptMode.Intx
            : InterruptMode.None);
        var isOn = _mode switch
        {
            InterruptMode.Msix => _msix!.TryEnable((msixControl & Msix.FunctionMask) != 0),
            InterruptMode.Msi => _msi!.TryApply(),
            _ => true,
        };
        // When the host can't enable messages, the function may still assert INTx, which must then be delivered.
        if (!isOn)
            SwitchTo(_host.Intx is null ? InterruptMode.None : InterruptMode.Intx);
    }

    // The old kind is switched off first, since the host function, too, uses one kind at a time.
    private void SwitchTo(InterruptMode mode)
    {
        if (mode == _mode)
            return;
        switch (_mode)
        {
            case InterruptMode.Intx:
                _host.Intx!.Disable();
                break;
            case InterruptMode.Msi:
                _msi!.Disable();
                break;
            case InterruptMode.Msix:
                _msix!.Disable();
                break;
            default:
                break;
        }
        _mode = mode == InterruptMode.Intx && !_host.Intx!.TryEnable() ? InterruptMode.None : mode;
    }

    private enum InterruptMode : byte
    {
        None,
        Intx,
        Msi,
        Msix,
    }
}
