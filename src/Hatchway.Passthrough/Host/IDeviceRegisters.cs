namespace Hatchway.Passthrough.Host;

/// <summary>Accesses a function's registers for <see cref="PciDevice"/>, which has checked range, width and alignment.</summary>
internal interface IDeviceRegisters : IDisposable
{
    /// <summary>Bytes of config space.</summary>
    int ConfigSize { get; }

    /// <summary>Makes one access, at exactly its width.</summary>
    /// <param name="access">The access.</param>
    /// <param name="value">The value to write, or the value read.</param>
    /// <returns>False when the device did not answer.</returns>
    bool TryAccess(in RegisterAccess access, ref ulong value);
}
