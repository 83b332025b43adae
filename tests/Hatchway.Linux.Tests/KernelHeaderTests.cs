using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Hatchway.Linux.Interop;

namespace Hatchway.Linux.Tests;

/// <summary>Compares every native structure and every ioctl request with the kernel's headers, as a C compiler sees them.</summary>
public sealed class KernelHeaderTests
{
    private static readonly string[] Headers =
    [
        "stddef.h", "stdio.h", "fcntl.h", "linux/kvm.h", "linux/vfio.h",
        "poll.h", "signal.h", "time.h", "termios.h", "sys/epoll.h", "sys/resource.h",
        "sys/uio.h", "linux/fs.h", "linux/sockios.h", "linux/if.h", "linux/if_tun.h",
        "linux/filter.h", "linux/landlock.h", "linux/stat.h", "pwd.h",
    ];

    private static readonly Dictionary<string, int> Native = AskCompiler();

    private static IEnumerable<Type> Structures =>
        typeof(Ioctl).Assembly.GetTypes().Where(static t => t.Namespace == typeof(Ioctl).Namespace && t.IsValueType && !t.IsNested);

    private static IEnumerable<FieldInfo> Requests =>
        new[] { typeof(KvmRequests), typeof(VfioRequests), typeof(BlockRequests), typeof(TunRequests) }
            .SelectMany(static t => t.GetFields(BindingFlags.Public | BindingFlags.Static));

    public static TheoryData<string> StructureNames => [.. Structures.Select(static t => t.Name)];

    public static TheoryData<string> RequestNames => [.. Requests.Select(static f => f.Name)];

    [Theory]
    [MemberData(nameof(StructureNames))]
    public void A_structure_has_the_size_and_the_offsets_of_the_header(string name)
    {
        var type = Structures.Single(t => t.Name == name);
        var actual = Fields(type).ToDictionary(f => Member(f), f => (int)Marshal.OffsetOf(type, f.Name));
        var expected = actual.Keys.ToDictionary(member => member, member => Native[$"{name}.{member}"]);

        Assert.Equal(expected, actual);
        // kvm_run grows with the kernel; only its mapping's size matters, which KVM is asked for.
        if (name != nameof(kvm_run))
            Assert.Equal(Native[name], Size(type));
    }

    [Theory]
    [MemberData(nameof(RequestNames))]
    public void An_ioctl_request_has_the_number_of_the_header(string name)
    {
        var request = (uint)Requests.Single(f => f.Name == name).GetValue(null)!;

        Assert.Equal((uint)Native[name], request);
    }

    private static FieldInfo[] Fields(Type type) =>
        type.GetFields(BindingFlags.Public | BindingFlags.Instance);

    private static string Member(FieldInfo field) => field.Name.StartsWith("__", StringComparison.Ordinal)
        ? field.Name
        : field.Name.Replace("__", ".", StringComparison.Ordinal);

    private static int Size(Type type) =>
        (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    private static Dictionary<string, int> AskCompiler()
    {
        var source = new StringBuilder();
        foreach (var header in Headers)
            source.AppendLine(CultureInfo.InvariantCulture, $"#include <{header}>");
        source.AppendLine("int main(void) {");
        foreach (var type in Structures)
        {
            var native = type.Name == nameof(sigset_t) ? type.Name : $"struct {type.Name}";
            Print(source, type.Name, $"sizeof({native})");
            foreach (var field in Fields(type))
                Print(source, $"{type.Name}.{Member(field)}", $"offsetof({native}, {Member(field)})");
        }
        foreach (var request in Requests)
            Print(source, request.Name, request.Name);
        source.AppendLine("return 0; }");

        var folder = Directory.CreateTempSubdirectory("hatchway-headers-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "ask.c"), source.ToString());
            Execute(folder.FullName, "gcc", "-D_GNU_SOURCE", "-o", "ask", "ask.c");
            return Execute(folder.FullName, Path.Combine(folder.FullName, "ask"))
                .Split('\n', StringSplitOptions.RemoveEmptyEntries)
                .Select(static line => line.Split(' '))
                .ToDictionary(static words => words[0], static words => unchecked((int)uint.Parse(words[1], CultureInfo.InvariantCulture)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Print(StringBuilder source, string name, string expression) =>
        source.AppendLine(CultureInfo.InvariantCulture, $"printf(\"{name} %u\\n\", (unsigned)({expression}));");

    private static string Execute(string folder, string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = process.StandardOutput.ReadToEnd();
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
        return output;
    }
}
