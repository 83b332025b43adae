using System.Text.Json;
using Hatchway.Linux;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Tests.Program;

/// <summary>The program with options whose effect a small guest sees, or that change how it ends.</summary>
public sealed class RunTests : IDisposable
{
    private const int PoweredOff = 1;
    private const int TripleFault = 3;
    private const int Error = 4;
    private const uint NoMsr = 0x1234_5678;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("hatchway-run-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void By_the_name_bhyve_it_takes_bhyves_command_line()
    {
        var link = Path.Combine(_folder.FullName, "bhyve");
        File.CreateSymbolicLink(link, ProgramRun.Executable);
        using var run = new ProgramRun(link, ["-c", "2", "-o", "config.dump=1", "-s", "31,lpc", "vm0"]);
        var (status, output, errors) = run.Finish();
        Assert.Equal("", errors);
        Assert.Equal(
            """
            acpi_tables=true
            config.dump=1
            cpus=2
            memory.size=256M
            name=vm0
            pci.0.31.0.device=lpc
            x86.strictmsr=true

            """,
            output);
        Assert.Equal(1, status);
    }

    [Theory]
    [InlineData("run -h")]
    [InlineData("run --help")]
    [InlineData("run -s help")]
    [InlineData("-l help")]
    public void Help_is_no_error(string words)
    {
        using var run = new ProgramRun(words.Split(' '));
        var (status, output, errors) = run.Finish();
        Assert.Equal((0, ""), (status, errors));
        Assert.NotEqual("", output);
    }

    [KvmFact]
    public void What_has_no_effect_is_told_when_asked_and_what_is_unknown_always()
    {
        var (status, errors) = Run("-AHIPD -Y -o memory.sise=1G --verbose", PowerOff);
        Assert.Equal(PoweredOff, status);
        foreach (var flag in (ReadOnlySpan<string>)["-A", "-I", "-P", "-D", "-Y"])
            Assert.Contains($"hatchway: {flag}: without effect, ", errors, StringComparison.Ordinal);
        Assert.Contains("warning: -o memory.sise=1G: unknown variable memory.sise, ignored", errors, StringComparison.Ordinal);

        Assert.Equal((PoweredOff, ""), Run("-AHIPD -Y", PowerOff));
    }

    [KvmFact]
    public void A_configuration_that_was_dumped_runs_by_k()
    {
        var kernel = WriteKernel(PowerOff);
        using var dump = new ProgramRun("run", "-m", "32M", "-p", "0:0", "--kernel", kernel, "-o", "config.dump=1", "vm0");
        var file = Path.Combine(_folder.FullName, "vm0.conf");
        File.WriteAllText(file, dump.Finish().Output.Replace("config.dump=1\n", "", StringComparison.Ordinal));
        using var run = new ProgramRun("run", "-k", file);
        Assert.Equal((PoweredOff, "", ""), run.Finish());
    }

    [KvmFact]
    public void A_port_that_nothing_answers_ends_the_guest_with_e_only()
    {
        static void UsePort(Assembler a)
        {
            a.mov(dx, 0x1234);
            a.@in(al, dx);
            PowerOff(a);
        }

        Assert.Equal((PoweredOff, ""), Run("", UsePort));
        var (status, errors) = Run("-e", UsePort);
        Assert.Equal(Error, status);
        Assert.Contains("port 1234h, which nothing answers", errors, StringComparison.Ordinal);
    }

    [KvmFact]
    public void Accesses_that_nobody_answers_are_counted()
    {
        static void Miss(Assembler a)
        {
            a.mov(dx, 0x1234);
            a.@in(al, dx);
            a.@out(dx, al);
            // Far beyond the guest's RAM.
            a.mov(al, __byte_ptr[0x1000_0000]);
            PowerOff(a);
        }

        var file = Path.Combine(_folder.FullName, "stats.json");
        Assert.Equal((PoweredOff, ""), Run($"--stats {file}", Miss));
        using var statistics = JsonDocument.Parse(File.ReadAllText(file));
        Assert.Equal("guest", statistics.RootElement.GetProperty("name").GetString());
        var unclaimed = statistics.RootElement.GetProperty("unclaimed");
        Assert.Equal(1, unclaimed.GetProperty("memory").GetInt64());
        Assert.Equal(2, unclaimed.GetProperty("ports").GetInt64());
    }

    [KvmFact]
    public void An_unknown_MSR_is_a_fault_and_with_w_reads_as_zero()
    {
        static void UseMsr(Assembler a)
        {
            var wrong = a.CreateLabel();
            a.mov(ecx, NoMsr);
            a.mov(eax, 1);
            a.mov(edx, 2);
            a.wrmsr();
            a.rdmsr();
            a.or(eax, edx);
            a.jne(wrong);
            PowerOff(a);
            a.Label(ref wrong);
            a.ud2();
        }

        Assert.Equal(TripleFault, Run("", UseMsr).Status);
        Assert.Equal((PoweredOff, ""), Run("-w", UseMsr));
    }

    [KvmFact]
    public void Local_APICs_start_in_x2APIC_mode_with_x()
    {
        static void LookAtMode(Assembler a)
        {
            var off = a.CreateLabel();
            a.mov(ecx, 0x1B);
            a.rdmsr();
            a.test(eax, 1 << 10);
            a.je(off);
            a.ud2();
            a.Label(ref off);
            PowerOff(a);
        }

        Assert.Equal(PoweredOff, Run("", LookAtMode).Status);
        Assert.Equal(TripleFault, Run("-x", LookAtMode).Status);
    }

    [KvmFact]
    public void A_CPU_can_be_pinned_to_one_of_the_hosts_that_there_is()
    {
        Assert.Equal((PoweredOff, ""), Run($"-p 0:{CpuAffinity.Current[0]}", PowerOff));
        var (status, errors) = Run("-p 0:1023", PowerOff);
        Assert.Equal(Error, status);
        Assert.Contains("-p 0:1023: the host has no CPU 1023", errors, StringComparison.Ordinal);
    }

    [KvmFact]
    public void Memory_is_locked_or_the_limit_is_told()
    {
        var (status, errors) = Run("-S -C", PowerOff);
        if (status == Error)
        {
            Assert.Contains(
                "or by -S, all of the guest's RAM is locked, 32768 KiB, but this process may lock", errors, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal((PoweredOff, ""), (status, errors));
        }
    }

    [KvmFact]
    public void While_a_guest_runs_no_debugger_can_come_in_but_without_the_sandbox()
    {
        Assert.Equal(0, Doors(""));
        Assert.Equal(3, Doors("--no-sandbox"));

        int Doors(string option)
        {
            var temporary = _folder.CreateSubdirectory($"tmp{option}").FullName;
            using var run = RunWith($"TMPDIR={temporary}", $"{option} -s 31,lpc -l com1,stdio", SayHello);
            ProgramRun.Expect("A", run.Output);
            return Directory.EnumerateFileSystemEntries(temporary).Count();
        }

        static void SayHello(Assembler a)
        {
            var again = a.CreateLabel();
            a.mov(dx, 0x3F8);
            a.mov(al, (byte)'A');
            a.@out(dx, al);
            a.Label(ref again);
            a.hlt();
            a.jmp(again);
        }
    }

    [KvmFact]
    public void A_folder_for_temporary_files_that_is_not_there_is_no_matter()
    {
        using var run = RunWith("TMPDIR=/not/there", "", PowerOff);

        Assert.Equal(PoweredOff, run.Finish().Status);
    }

    [KvmFact]
    public void The_guests_clock_is_in_local_time_and_with_u_in_UTC()
    {
        const byte Index = 0x70;
        const byte Hours = 4;

        HourIs(3, "");
        HourIs(0, "-u");

        void HourIs(int ahead, string option)
        {
            int[] hours = [DateTime.UtcNow.AddHours(ahead).Hour, DateTime.UtcNow.AddHours(ahead).AddMinutes(2).Hour];
            using var run = RunWith("TZ=EAST-3", $"{option} -s 31,lpc -l com1,stdio", SayHour);
            var hour = run.Output.ReadByte();
            // Binary-coded decimal, the register's initial format.
            Assert.Contains((10 * (hour >> 4)) + (hour & 15), hours);
        }

        static void SayHour(Assembler a)
        {
            a.mov(al, Hours);
            a.@out(Index, al);
            a.@in(al, Index + 1);
            a.mov(dx, 0x3F8);
            a.@out(dx, al);
            PowerOff(a);
        }
    }

    // PM1a control: SLP_TYP 0 and SLP_EN.
    internal static void PowerOff(Assembler a)
    {
        a.mov(dx, 0x604);
        a.mov(ax, 0x2000);
        a.@out(dx, ax);
        a.hlt();
    }

    private (int Status, string Errors) Run(string options, Action<Assembler> code)
    {
        using var run = new ProgramRun(Words(options, code));
        var (status, _, errors) = run.Finish();
        return (status, errors);
    }

    private ProgramRun RunWith(string variable, string options, Action<Assembler> code) =>
        new("/usr/bin/env", [variable, ProgramRun.Executable, .. Words(options, code)]);

    private string[] Words(string options, Action<Assembler> code) =>
        ["run", .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries), "-m", "32M", "--kernel", WriteKernel(code), "guest"];

    private string WriteKernel(Action<Assembler> code)
    {
        var path = Path.Combine(_folder.FullName, "kernel");
        File.WriteAllBytes(path, PvhKernel.Build(code));
        return path;
    }
}
