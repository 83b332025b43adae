using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using Hatchway.Pci.Handlers;

namespace Hatchway.Handlers;

/// <summary>A user's assembly with register handlers: <c>handler=FILE</c>.</summary>
/// <remarks>It is loaded once, however often the guest restarts, since it can't be unloaded. For one thread.</remarks>
/// <param name="path">The assembly.</param>
internal sealed class HandlerAssembly(string path)
{
    private static readonly Assembly Contract = typeof(IDeviceHandlers).Assembly;
    private static readonly AssemblyName ContractName = Contract.GetName();
    private Type? _handlers;

    /// <summary>Makes an instance of the one class in it that implements <see cref="IDeviceHandlers"/>.</summary>
    /// <exception cref="UserException">The assembly can't be loaded, or the class can't be made.</exception>
    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "The program is not trimmed: see Hatchway.csproj.")]
    public IDeviceHandlers Make() => RuntimeFeature.IsDynamicCodeSupported
        ? Make(_handlers ??= Find(LoadAssembly()))
        : throw Error("this hatchway is native code only and can't load handlers: use one made by 'dotnet publish src/Hatchway'");

    /// <summary>Makes an exception about this assembly from the first line of a reason.</summary>
    public UserException Error(string reason) =>
        new($"handler={path}: {reason.AsSpan()[..(reason.AsSpan().IndexOfAny('\r', '\n') is >= 0 and var end ? end : reason.Length)]}");

    [RequiresUnreferencedCode("Loads an assembly that the program does not know.")]
    private Assembly LoadAssembly()
    {
        var full = Path.GetFullPath(path);
        Assembly assembly;
        try
        {
            assembly = new Context(full).LoadFromAssemblyPath(full);
        }
        catch (BadImageFormatException)
        {
            throw Error("this is no .NET assembly: give the .dll that 'dotnet build' makes of a class library");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Error($"can't be loaded: {failure.Message}");
        }
        var wanted = Array.Find(assembly.GetReferencedAssemblies(), static name => name.Name == ContractName.Name);
        // Before 1.0 a minor version may break compatibility (semver.org, 4).
        var own = ContractName.Version!;
        if (wanted is { Version: { } version } && (version.Major != own.Major || version.Minor != own.Minor))
            throw Error($"it was built for Hatchway.Pci {version.ToString(3)} and this is {own.ToString(3)}: build it again");
        return assembly;
    }

    [RequiresUnreferencedCode("Looks through the types of an assembly that the program does not know.")]
    private Type Find(Assembly assembly)
    {
        Type[] types;
        try
        {
            types = assembly.GetTypes();
        }
        catch (ReflectionTypeLoadException failure)
        {
            throw Error(failure.LoaderExceptions.FirstOrDefault()?.Message ?? failure.Message);
        }
        var found = Array.FindAll(
            types, static type => type is { IsClass: true, IsAbstract: false } && type.IsAssignableTo(typeof(IDeviceHandlers)));
        return found switch
        {
            [var only] => only,
            [] => throw Error($"no class in it implements {typeof(IDeviceHandlers)}"),
            _ => throw Error(
                $"several classes in it implement {nameof(IDeviceHandlers)}: {string.Join(", ", found.Select(static t => t.Name))}"),
        };
    }

    [RequiresUnreferencedCode("Asks a type that the program does not know for its constructor.")]
    private IDeviceHandlers Make(Type type)
    {
        if (type.GetConstructor(Type.EmptyTypes) is not { } constructor)
            throw Error($"{type.Name} has no public constructor without parameters");
        try
        {
            return (IDeviceHandlers)constructor.Invoke(null);
        }
        catch (TargetInvocationException failure)
        {
            var inner = failure.InnerException ?? failure;
            throw Error($"the constructor of {type.Name} threw {inner.GetType().Name}: {inner.Message}");
        }
    }

    /// <summary>Loads the assembly's dependencies from its own folder, except the contract, which must be the program's.</summary>
    [RequiresUnreferencedCode("Loads assemblies that the program does not know.")]
    private sealed class Context(string path) : AssemblyLoadContext(Path.GetFileName(path))
    {
        private readonly AssemblyDependencyResolver _beside = new(path);

        protected override Assembly? Load(AssemblyName assemblyName)
        {
            if (assemblyName.Name == ContractName.Name)
                return Contract;
            return _beside.ResolveAssemblyToPath(assemblyName) is { } file ? LoadFromAssemblyPath(file) : null;
        }

        protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
            _beside.ResolveUnmanagedDllToPath(unmanagedDllName) is { } file ? LoadUnmanagedDllFromPath(file) : 0;
    }
}
