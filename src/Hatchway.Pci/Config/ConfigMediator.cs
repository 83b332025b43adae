using Hatchway.Pci.Address;

namespace Hatchway.Pci.Config;

/// <summary>The part of a config write that remains to be done once the mediator's copy is updated.</summary>
/// <param name="Effects">What may have changed in the guest's view.</param>
/// <param name="Offset">The offset of the guest's write.</param>
/// <param name="Width">Its width.</param>
/// <param name="Value">The bits that go to the host function; the others are zero.</param>
/// <param name="Forwarded">The mask of these bits.</param>
public readonly record struct ConfigWrite(ConfigEffects Effects, ConfigOffset Offset, AccessWidth Width, uint Value, uint Forwarded);

/// <summary>Mediates a guest's accesses to a function's config space, field by field, by rules.</summary>
/// <remarks>
/// The rules are expanded to mask bytes for each byte of config space, so an access costs the same however many rules there are. A byte
/// without a rule is the host function's. Any thread may call. <c>_copyLock</c> guards the copy and is a leaf: no call leaves the class
/// and no host access happens while it is held.
/// </remarks>
public sealed class ConfigMediator
{
    private readonly IHostConfigSpace _host;
    private readonly IReadOnlyList<FieldRule> _rules;
    private readonly byte[] _copy;
    private readonly byte[] _virtual;
    private readonly byte[] _writable;
    private readonly byte[] _forwarded;
    private readonly byte[] _kept;
    private readonly ConfigEffects[] _effects;
    private readonly Lock _copyLock = new();

    /// <summary>Applies rules to a function's config space. Where rules overlap, the later one wins.</summary>
    /// <exception cref="ArgumentException">A rule reaches beyond config space.</exception>
    public ConfigMediator(IHostConfigSpace host, IReadOnlyList<FieldRule> rules)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(rules);
        _host = host;
        _rules = rules;
        _copy = new byte[host.Size];
        _virtual = new byte[host.Size];
        _writable = new byte[host.Size];
        _forwarded = new byte[host.Size];
        _kept = new byte[host.Size];
        _effects = new ConfigEffects[host.Size];
        _forwarded.AsSpan().Fill(0xFF);
        foreach (var rule in rules)
            Lay(rule);
    }

    private int Size => _copy.Length;

    /// <summary>Reads as the guest sees it; zero beyond config space's end.</summary>
    /// <param name="offset">Naturally aligned to <paramref name="width"/>.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    public uint Read(ConfigOffset offset, AccessWidth width)
    {
        if (offset.Value + (int)width > Size)
            return 0;
        var virtualBits = Load(_virtual, offset, width);
        if (virtualBits == width.AllOnes())
            return ReadCopy(offset, width);
        var host = virtualBits == 0 ? _host.Read(offset, width) : _host.Read(offset, width) & ~virtualBits;
        return virtualBits == 0 ? host : host | (ReadCopy(offset, width) & virtualBits);
    }

    /// <summary>Reads the mediator's own copy, whatever the rules say.</summary>
    /// <param name="offset">The access lies wholly in config space. Not necessarily aligned.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    public uint ReadCopy(ConfigOffset offset, AccessWidth width)
    {
        lock (_copyLock)
            return Load(_copy, offset, width);
    }

    /// <summary>Updates the mediator's copy and returns what remains to be done. Does not touch the host function.</summary>
    /// <param name="offset">Naturally aligned to <paramref name="width"/>.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    /// <param name="value">The low <paramref name="width"/> bytes count.</param>
    public ConfigWrite Write(ConfigOffset offset, AccessWidth width, uint value)
    {
        if (offset.Value + (int)width > Size)
            return default;
        var effects = ConfigEffects.None;
        lock (_copyLock)
        {
            for (var i = 0; i < (int)width; i++)
            {
                var at = offset.Value + i;
                var writable = _writable[at];
                _copy[at] = (byte)((_copy[at] & ~writable) | ((byte)(value >> (8 * i)) & writable));
                effects |= _effects[at];
            }
        }
        var forwarded = Load(_forwarded, offset, width);
        return new ConfigWrite(effects, offset, width, value & forwarded, forwarded);
    }

    /// <summary>
    /// Writes to the host function: at the guest's width when all bits are forwarded, else only the bytes with forwarded bits, in
    /// naturally aligned pieces.
    /// </summary>
    public void Forward(in ConfigWrite write)
    {
        if (write.Forwarded == 0)
            return;
        if (write.Forwarded == (uint)write.Width.AllOnes())
        {
            _host.Write(write.Offset, write.Width, write.Value);
            return;
        }
        for (var i = 0; i < (int)write.Width;)
        {
            var run = ForwardedRun(write.Forwarded, i, (int)write.Width);
            if (run == 0)
            {
                i++;
                continue;
            }
            var piece = AccessWidthExtensions.WidestAligned((ulong)(write.Offset.Value + i), run);
            var at = write.Offset + i;
            var kept = Load(_kept, at, piece);
            var value = (write.Value >> (8 * i)) & (uint)piece.AllOnes();
            _host.Write(at, piece, kept == 0 ? value : value | (_host.Read(at, piece) & kept));
            i += (int)piece;
        }
    }

    /// <summary>Sets bytes of the copy for the machine, as firmware would, whether or not the guest may write them.</summary>
    /// <param name="offset">The access lies wholly in config space. Not necessarily aligned.</param>
    /// <param name="width">1, 2 or 4 bytes.</param>
    /// <param name="value">The low <paramref name="width"/> bytes count.</param>
    public void SetCopy(ConfigOffset offset, AccessWidth width, uint value)
    {
        lock (_copyLock)
            width.Store(_copy.AsSpan(offset.Value), value);
    }

    /// <summary>Resets the copy to the rules' initial values. Does not touch the host function.</summary>
    public void Reset()
    {
        lock (_copyLock)
        {
            foreach (var rule in _rules)
                LayValue(rule);
        }
    }

    private static int ForwardedRun(uint forwarded, int start, int end)
    {
        var run = 0;
        while (start + run < end && ((forwarded >> (8 * (start + run))) & 0xFF) != 0)
            run++;
        return run;
    }

    private void Lay(in FieldRule rule)
    {
        if (rule.Offset + rule.Length > Size)
            throw new ArgumentException($"rule '{rule.Name}' reaches beyond config space: {rule.Offset:x3}h, {rule.Length} bytes");
        LayValue(rule);
        for (var i = 0; i < rule.Length; i++)
        {
            var at = rule.Offset + i;
            _virtual[at] = ByteOf(rule.Virtual, i);
            _writable[at] = ByteOf(rule.Writable, i);
            _forwarded[at] = ByteOf(rule.Forwarded, i);
            _kept[at] = ByteOf(rule.Kept, i);
            _effects[at] = rule.Effects;
        }
    }

    private void LayValue(in FieldRule rule)
    {
        for (var i = 0; i < rule.Length; i++)
            _copy[rule.Offset + i] = ByteOf(rule.Value, i);
    }

    // All bytes of a field of more than 8 bytes are alike (FieldRule.Length), so the eighth stands for the rest.
    private static byte ByteOf(ulong bits, int i) => (byte)(bits >> (8 * Math.Min(i, 7)));

    private static uint Load(byte[] bytes, ConfigOffset offset, AccessWidth width) =>
        (uint)width.Load(bytes.AsSpan(offset.Value));
}
