using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using System.Text.Json.Nodes;
using Hatchway.Handlers;
using Hatchway.Pci.Handlers;
using Hatchway.Tests.Program;

namespace Hatchway.Tests.Handlers;

/// <summary><c>handler=FILE</c>: loading assemblies, and the messages about files that can't be loaded.</summary>
public sealed class HandlerAssemblyTests : IDisposable
{
    private static readonly ConstructorInfo InvalidOperation = typeof(InvalidOperationException).GetConstructor([typeof(string)])!;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-handlers-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void The_sample_is_loaded_apart_and_speaks_the_programs_own_contract()
    {
        var handlers = new HandlerAssembly(Sample).Make();

        Assert.Equal("Edu.EduHandlers", handlers.GetType().FullName);
        Assert.NotSame(AssemblyLoadContext.Default, AssemblyLoadContext.GetLoadContext(handlers.GetType().Assembly));
    }

    [Fact]
    public void It_is_loaded_once_and_gives_new_handlers_for_each_start_of_the_guest()
    {
        var assembly = new HandlerAssembly(Sample);
        var (first, second) = (assembly.Make(), assembly.Make());

        Assert.NotSame(first, second);
        Assert.Same(first.GetType(), second.GetType());
    }

    // A NativeAOT build is not possible everywhere; a switch of the process makes the runtime answer like one.
    [Fact]
    public void A_program_of_native_code_alone_says_that_it_loads_none()
    {
        const string Switch = "System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported";
        const string Message = "this hatchway is native code only and can't load handlers: use one made by 'dotnet publish src/Hatchway'";
        if (!RuntimeFeature.IsDynamicCodeSupported)
        {
            AssertRefused(Sample, Message);
            return;
        }
        Assert.False(AppContext.TryGetSwitch(Switch, out _), "this runtime does not heed the switch");
        var tests = typeof(HandlerAssemblyTests).Assembly.Location;
        var settings = JsonNode.Parse(File.ReadAllText(Path.ChangeExtension(tests, ".runtimeconfig.json")))!;
        settings["runtimeOptions"]!["configProperties"]![Switch] = false;
        var path = Path.Combine(_folder.FullName, "native.runtimeconfig.json");
        File.WriteAllText(path, settings.ToJsonString());
        var method = $"{typeof(HandlerAssemblyTests).FullName}.{nameof(A_program_of_native_code_alone_says_that_it_loads_none)}";

        using var run = new ProgramRun(
            "dotnet", ["exec", "--runtimeconfig", path, "--depsfile", Path.ChangeExtension(tests, ".deps.json"), tests, "-method", method]);

        var (status, output, errors) = run.Finish();
        Assert.True(status == 0, output + errors);
        Assert.Contains("Total: 1, Errors: 0, Failed: 0", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_assembly_is_refused()
    {
        var path = Path.Combine(_folder.FullName, "text.dll");
        File.WriteAllText(path, "#!/bin/sh\n");

        AssertRefused(path, "this is no .NET assembly: give the .dll that 'dotnet build' makes of a class library");
    }

    [Fact]
    public void An_assembly_without_a_class_for_it_is_refused() =>
        AssertRefused(Build("Empty"), "no class in it implements Hatchway.Pci.Handlers.IDeviceHandlers");

    [Fact]
    public void An_assembly_with_several_is_refused_and_they_are_named() =>
        AssertRefused(Build("Several", "First", "Second"), "several classes in it implement IDeviceHandlers: First, Second");

    [Fact]
    public void A_constructor_that_throws_is_told_of_in_one_line() =>
        AssertRefused(
            BuildWith("Throwing", typeof(IDeviceHandlers), "Licensed", Throw),
            "the constructor of Licensed threw InvalidOperationException: no licence");

    [Fact]
    public void A_class_whose_constructor_wants_something_is_refused() =>
        AssertRefused(
            BuildWith("Wanting", typeof(IDeviceHandlers), "Wanting", static _ => { }, typeof(string)),
            "Wanting has no public constructor without parameters");

    [Fact]
    public void An_assembly_for_another_version_of_the_contract_is_refused()
    {
        var contract = new PersistedAssemblyBuilder(
            new AssemblyName("Hatchway.Pci") { Version = new Version(7, 3, 1, 0) }, typeof(object).Assembly);
        var type = contract.DefineDynamicModule("Hatchway.Pci").DefineType(
            typeof(IDeviceHandlers).FullName!, TypeAttributes.Public | TypeAttributes.Interface | TypeAttributes.Abstract);
        type.CreateType();
        var path = Save(contract, "Other");
        var other = new AssemblyLoadContext("other", isCollectible: true).LoadFromAssemblyPath(path);
        var built = BuildWith("Old", other.GetType(typeof(IDeviceHandlers).FullName!)!, "Old", static _ => { });

        var ours = typeof(IDeviceHandlers).Assembly.GetName().Version!.ToString(3);
        AssertRefused(built, $"it was built for Hatchway.Pci 7.3.1 and this is {ours}: build it again");
    }

    private static string Sample
    {
        get
        {
            // tests/Hatchway.Tests/bin/Release/...: the sample is built in the same configuration.
            var configuration = typeof(HandlerAssemblyTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder.FullName, "Hatchway.slnx")))
                folder = folder.Parent!;
            return Path.Combine(folder.FullName, "samples/Edu/bin", configuration, "net10.0/Edu.dll");
        }
    }

    private static void AssertRefused(string path, string reason) =>
        Assert.Equal($"handler={path}: {reason}", Assert.Throws<UserException>(() => new HandlerAssembly(path).Make()).Message);

    private static void Throw(ILGenerator code)
    {
        code.Emit(OpCodes.Ldstr, "no licence\nsecond line");
        code.Emit(OpCodes.Newobj, InvalidOperation);
        code.Emit(OpCodes.Throw);
    }

    private string Build(string name, params string[] types) => Save(Define(name, types), name);

    private static PersistedAssemblyBuilder Define(string name, params string[] types)
    {
        var assembly = new PersistedAssemblyBuilder(new AssemblyName(name), typeof(object).Assembly);
        var module = assembly.DefineDynamicModule(name);
        foreach (var type in types)
            DefineHandlers(module, typeof(IDeviceHandlers), type, static _ => { });
        return assembly;
    }

    private string BuildWith(string name, Type contract, string type, Action<ILGenerator> constructor, params Type[] parameters)
    {
        var assembly = new PersistedAssemblyBuilder(new AssemblyName(name), typeof(object).Assembly);
        DefineHandlers(assembly.DefineDynamicModule(name), contract, type, constructor, parameters);
        return Save(assembly, name);
    }

    private static void DefineHandlers(
        ModuleBuilder module, Type contract, string name, Action<ILGenerator> constructor, params Type[] parameters)
    {
        var type = module.DefineType(name, TypeAttributes.Public | TypeAttributes.Class, typeof(object), [contract]);
        var code = type.DefineConstructor(MethodAttributes.Public, CallingConventions.Standard, parameters).GetILGenerator();
        code.Emit(OpCodes.Ldarg_0);
        code.Emit(OpCodes.Call, typeof(object).GetConstructor(Type.EmptyTypes)!);
        constructor(code);
        code.Emit(OpCodes.Ret);
        foreach (var method in contract.GetMethods())
        {
            var attach = type.DefineMethod(
                method.Name, MethodAttributes.Public | MethodAttributes.Virtual, typeof(void), [typeof(IDeviceContext)]);
            attach.GetILGenerator().Emit(OpCodes.Ret);
            type.DefineMethodOverride(attach, method);
        }
        type.CreateType();
    }

    private string Save(PersistedAssemblyBuilder assembly, string name)
    {
        var path = Path.Combine(_folder.FullName, $"{name}.dll");
        assembly.Save(path);
        return path;
    }
}
