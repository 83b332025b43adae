using Hatchway.Linux;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Tests.Program;

/// <summary>The program with options that show in what a small guest meets, or in how it ends.</summary>
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
        foreach (var flag in (ReadOnlySpan<string>)["-A", "-H", "-I", "-P", "-D", "-Y"])
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
            Assert.Contains("or by -S, all of the guest's RAM is locked, 32768 KiB, but this process may lock", errors, StringComparison.Ordinal);
        else
            Assert.Equal((PoweredOff, ""), (status, errors));
    }

    // PM1a control: SLP_TYP 5 and SLP_EN.
    internal static void PowerOff(Assembler a)
    {
        a.mov(dx, 0x604);
        a.mov(ax, 0x3400);
        a.@out(dx, ax);
        a.hlt();
    }

    private (int Status, string Errors) Run(string options, Action<Assembler> code)
    {
        using var run = new ProgramRun(
            ["run", .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries), "-m", "32M", "--kernel", WriteKernel(code), "guest"]);
        var (status, _, errors) = run.Finish();
        return (status, errors);
    }

    private string WriteKernel(Action<Assembler> code)
    {
        var path = Path.Combine(_folder.FullName, "kernel");
        File.WriteAllBytes(path, PvhKernel.Build(code));
        return path;
    }
}
