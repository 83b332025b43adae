namespace Hatchway.Passthrough.Host;

/// <summary>What <see cref="PciDevice"/> reaches a function by. The caller has checked range, width and alignment.</summary>
internal interface IDeviceRegisters : IDisposable
{
    /// <summary>Bytes of config space.</summary>
    int ConfigSize { get; }

    /// <summary>Makes one access of its width.</summary>
    /// <param name="access">Which.</param>
    /// <param name="value">What was read; what is written.</param>
    /// <returns>False when the device did not answer.</returns>
    bool TryAccess(in RegisterAccess access, ref ulong value);
}
