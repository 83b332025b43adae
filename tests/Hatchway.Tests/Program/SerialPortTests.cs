using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hatchway.Tests.Program;

/// <summary>The program runs a small guest that returns letters on three serial ports in the other case, until it reads a Q.</summary>
public sealed class SerialPortTests : IDisposable
{
    private readonly string _kernel = Path.GetTempFileName();

    public SerialPortTests() => File.WriteAllBytes(_kernel, PvhKernel.Build(static a =>
    {
        var again = a.CreateLabel();
        a.Label(ref again);
        Answer(a, 0x3F8);
        Answer(a, 0x2F8);
        Answer(a, 0x3E8);
        a.jmp(again);
    }));

    public void Dispose() => File.Delete(_kernel);

    [KvmFact]
    public void Guests_talk_over_TCP_and_a_pseudo_terminal_at_once_and_a_client_may_come_and_go()
    {
        var address = FreeAddress();
        using var run = new ProgramRun(
            "run", "-m", "32M", "-s", "1,lpc", "-l", string.Create(CultureInfo.InvariantCulture, $"com2,tcp={address}"), "-l", "com3,pty",
            "--kernel", _kernel, "guest");
        var told = run.ErrorLine()!;
        Assert.StartsWith("hatchway: com3 is /dev/pts/", told, StringComparison.Ordinal);

        using (var client = new TcpClient())
        {
            client.Connect(address);
            Talk(client.GetStream(), "longer than the sixteen bytes that it has", "LONGER\0THAN\0THE\0SIXTEEN\0BYTES\0THAT\0IT\0HAS");

            // A second client is turned away, and the first one stays.
            using var second = new TcpClient();
            second.Connect(address);
            Assert.Equal(-1, second.GetStream().ReadByte());
            Talk(client.GetStream(), "still", "STILL");
        }

        using var terminal = new FileStream(
            told["hatchway: com3 is ".Length..], FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        Talk(terminal, "pty", "PTY");

        using var third = new TcpClient();
        third.Connect(address);
        Talk(third.GetStream(), "again", "AGAIN");
        third.GetStream().Write("Q"u8);
        Assert.Equal(1, run.Finish().Status);
    }

    [KvmFact]
    public void A_guest_whose_output_nobody_reads_stands_still_and_can_be_ended()
    {
        File.WriteAllBytes(_kernel, PvhKernel.Build(static a =>
        {
            var again = a.CreateLabel();
            a.mov(dx, 0x3F8);
            a.Label(ref again);
            a.@out(dx, al);
            a.jmp(again);
        }));
        using var run = new ProgramRun("run", "-m", "32M", "-s", "1,lpc", "-l", "com1,stdio", "--kernel", _kernel, "unread");
        Assert.True(SpinWait.SpinUntil(() => IsAsleep(run.Id, "vcpu 0"), ProgramRun.Bound));

        using var kill = new ProgramRun("kill", "unread");

        Assert.Equal((0, "", ""), kill.Finish());
        Assert.True(run.EndsWithin(ProgramRun.Bound));
    }

    // Each time that it is looked at: an exit alone may wait for a lock. proc(5), /proc/PID/stat.
    private static bool IsAsleep(int process, string thread) => Enumerable.Range(0, 20).All(_ =>
    {
        Thread.Yield();
        return Directory.GetDirectories($"/proc/{process}/task")
            .Any(task => Stat(task).StartsWith($"({thread}) S", StringComparison.Ordinal));
    });

    private static string Stat(string task)
    {
        try
        {
            var stat = File.ReadAllText($"{task}/stat");
            return stat[stat.IndexOf('(', StringComparison.Ordinal)..];
        }
        catch (IOException)
        {
            // The thread has ended.
            return "";
        }
    }

    [KvmFact]
    public void An_address_in_use_and_a_file_that_is_no_terminal_are_told()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        using var run = new ProgramRun(
            "run", "-m", "32M", "-s", "1,lpc", "-l", $"com1,tcp={taken.LocalEndpoint}", "--kernel", _kernel, "guest");
        var (status, _, errors) = run.Finish();
        Assert.Equal(4, status);
        Assert.StartsWith($"hatchway: -l com1,tcp={taken.LocalEndpoint}: can't listen", errors, StringComparison.Ordinal);

        using var file = new ProgramRun("run", "-m", "32M", "-s", "1,lpc", "-l", $"com1,{_kernel}", "--kernel", _kernel, "guest");
        Assert.Contains("is no terminal", file.Finish().Errors, StringComparison.Ordinal);
    }

    private static void Talk(Stream stream, string says, string hears)
    {
        stream.Write(System.Text.Encoding.ASCII.GetBytes(says));
        ProgramRun.Expect(hears, stream);
    }

    private static IPEndPoint FreeAddress()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return (IPEndPoint)listener.LocalEndpoint;
    }

    // Returns a received byte with its case changed; Q powers off.
    private static void Answer(Assembler a, ushort port)
    {
        var nothing = a.CreateLabel();
        var keep = a.CreateLabel();
        a.mov(dx, (ushort)(port + 5));
        a.@in(al, dx);
        a.test(al, 1);
        a.je(nothing);
        a.mov(dx, port);
        a.@in(al, dx);
        a.cmp(al, (sbyte)'Q');
        a.jne(keep);
        RunTests.PowerOff(a);
        a.Label(ref keep);
        a.xor(al, 0x20);
        a.@out(dx, al);
        a.Label(ref nothing);
        a.nop();
    }
}
