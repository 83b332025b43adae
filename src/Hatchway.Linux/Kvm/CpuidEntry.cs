using Hatchway.Linux.Interop;

namespace Hatchway.Linux.Kvm;

/// <summary>One leaf of CPUID as a guest sees it (struct kvm_cpuid_entry2).</summary>
/// <param name="Function">EAX on input.</param>
/// <param name="Index">ECX on input, for leaves with sub-leaves.</param>
/// <param name="Flags">KVM_CPUID_FLAG_*: bit 0, the index is significant.</param>
/// <param name="Eax">EAX on output.</param>
/// <param name="Ebx">EBX on output.</param>
/// <param name="Ecx">ECX on output.</param>
/// <param name="Edx">EDX on output.</param>
public readonly record struct CpuidEntry(uint Function, uint Index, uint Flags, uint Eax, uint Ebx, uint Ecx, uint Edx)
{
    internal static CpuidEntry From(in kvm_cpuid_entry2 native) =>
        new(native.function, native.index, native.flags, native.eax, native.ebx, native.ecx, native.edx);

    internal kvm_cpuid_entry2 ToNative() => new()
    {
        function = Function,
        index = Index,
        flags = Flags,
        eax = Eax,
        ebx = Ebx,
        ecx = Ecx,
        edx = Edx,
    };
}
