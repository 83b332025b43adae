using System.Runtime.CompilerServices;
using Hatchway.Linux;

namespace Hatchway.SmallGuests;

/// <summary>A test that runs a small guest; it is skipped, with the reason, where KVM can't be opened.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class KvmFactAttribute : FactAttribute
{
    public KvmFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber)
    {
        if (!DeviceFile.CanOpen("/dev/kvm", out var errno))
            Skip = $"/dev/kvm does not open here: {errno}";
    }
}
