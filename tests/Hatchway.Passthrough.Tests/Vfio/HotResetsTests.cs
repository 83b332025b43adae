using Hatchway.Linux;
using Hatchway.Linux.Vfio;
using Hatchway.Passthrough.Host;
using Hatchway.Passthrough.Tests.Host;
using Hatchway.Passthrough.Vfio;
using Hatchway.Pci.Address;
using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Tests.Vfio;

/// <summary>What is reset at a guest's start, what its user is told of it, and what is told at the end.</summary>
public sealed class HotResetsTests : IDisposable
{
    private const string Graphics = "0000:01:00.0";
    private const string Audio = "0000:01:00.1";
    private const string Other = "0000:02:00.0";
    private const int Group = 17;
    private readonly SysfsTree _tree = new();
    private readonly HashSet<int> _groups = [Group];
    private readonly List<LoggedLine> _log = [];
    private readonly Dictionary<string, List<string>> _buses = [];
    private readonly List<string> _resets = [];

    public HotResetsTests() =>
        _tree.WithFunction(Graphics, "vfio-pci", Group).WithFunction(Audio, "vfio-pci", Group).WithFunction(Other, "vfio-pci", Group + 1);

    public void Dispose() => _tree.Dispose();

    [Fact]
    public void Functions_of_one_bus_are_reset_once_and_together_and_each_is_named()
    {
        OnOneBus(Graphics, Audio);

        Run(Function(Graphics), Function(Audio), Function(Other, hasOwnReset: true));

        Assert.Equal([$"{Graphics} by 17"], _resets);
        Assert.Equal(
            [
                (LogLevel.Information, $"{Graphics} has been reset (a hot reset of its bus, together with {Audio})"),
                (LogLevel.Information, $"{Audio} has been reset (a hot reset of its bus, together with {Graphics})"),
                (LogLevel.Information,
                    $"the host resets {Graphics}, {Audio} as the guest lets the last of its functions there go (a hot reset of the bus)"),
            ],
            _log.Select(static line => (line.Level, line.Text)));
    }

    [Fact]
    public void A_member_of_the_guests_group_need_only_be_reserved_for_a_reset_with_it()
    {
        OnOneBus(Graphics, Audio);

        Run(Function(Graphics));

        Assert.Equal([$"{Graphics} by 17"], _resets);
    }

    [Fact]
    public void Functions_in_groups_of_their_own_are_reset_with_all_the_groups()
    {
        OnOneBus(Graphics, Other);
        _groups.Add(Group + 1);

        Run(Function(Graphics), Function(Other));

        Assert.Equal([$"{Graphics} by 17 18"], _resets);
    }

    [Fact]
    public void Each_bus_has_its_own_reset()
    {
        OnOneBus(Graphics, Audio);
        OnOneBus(Other);
        _groups.Add(Group + 1);

        Run(Function(Graphics), Function(Other), Function(Audio));

        Assert.Equal([$"{Graphics} by 17", $"{Other} by 18"], _resets);
    }

    [Fact]
    public void A_function_with_a_reset_of_its_own_asks_for_no_other()
    {
        OnOneBus(Graphics, Audio);

        Run(Function(Graphics, hasOwnReset: true), Function(Audio, hasOwnReset: true));

        Assert.Empty(_resets);
        Assert.Empty(_log);
    }

    [Theory]
    [InlineData("snd_hda_intel", $"{Audio} is bound to the driver 'snd_hda_intel'")]
    [InlineData(null, $"{Audio} is bound to no driver")]
    public void A_function_of_the_bus_that_vfio_has_not_is_named_with_the_command_that_reserves_it(string? driver, string obstacle)
    {
        OnOneBus(Graphics, Audio);
        _tree.Unbind(Audio);
        if (driver is not null)
            _tree.Bind(Audio, driver);

        Run(Function(Graphics));

        Assert.Empty(_resets);
        var start = $"{Graphics} can only be reset with the whole bus, but {obstacle}: ";
        Assert.Equal(
            [
                (LogLevel.Warning, $"{start}the guest finds them as they were left: 'hatchway host reserve {Audio}'"),
                (LogLevel.Warning, $"{start}their next user finds them as this guest left them: 'hatchway host reserve {Audio}'"),
            ],
            _log.Select(static line => (line.Level, line.Text)));
    }

    [Fact]
    public void A_function_of_a_group_that_the_guest_has_not_is_to_be_given_to_it_and_the_host_waits_for_its_user()
    {
        OnOneBus(Graphics, Audio, Other);

        Run(Function(Graphics), Function(Audio));

        Assert.Empty(_resets);
        Assert.Equal(
            [
                (LogLevel.Warning,
                    $"{Graphics}, {Audio} can only be reset with the whole bus, but {Other} is in IOMMU group 18, which the guest does not "
                    + $"have: the guest finds them as they were left: give {Other} to the same guest"),
                (LogLevel.Warning,
                    $"{Graphics}, {Audio} can only be reset with the whole bus: the host does so once nobody uses {Other}; "
                    + "whoever opens one of them before that finds it as this guest left it"),
            ],
            _log.Select(static line => (line.Level, line.Text)));
    }

    [Fact]
    public void A_function_of_another_group_with_a_driver_is_to_be_reserved_and_given()
    {
        OnOneBus(Graphics, Other);
        _tree.Unbind(Other);
        _tree.Bind(Other, "ixgbe");

        Run(Function(Graphics));

        Assert.All(_log, static line => Assert.EndsWith(
            $": 'hatchway host reserve {Other}', and give {Other} to the same guest", line.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void A_bridge_on_the_bus_is_in_the_way_for_good()
    {
        const string Bridge = "0000:01:01.0";
        _tree.WithBridge(Bridge, "pcieport", Group);
        OnOneBus(Graphics, Bridge);

        Run(Function(Graphics));

        Assert.Empty(_resets);
        Assert.EndsWith(
            $"{Bridge} is a bridge, which VFIO does not take: the guest finds them as they were left", _log[0].Text,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_function_without_any_reset_is_told_once_for_both_ends()
    {
        Run(Function(Graphics));

        Assert.Equal(
            $"{Graphics} has no reset, nor has its bus: the guest gets it in the state it was left in, and so does the host afterwards",
            Assert.Single(_log).Text);
    }

    [Fact]
    public void A_reset_that_the_kernel_refuses_is_told_and_the_guest_goes_on()
    {
        OnOneBus(Graphics, Audio);
        var graphics = Function(Graphics);
        graphics.Refusal = new LinuxException("VFIO_DEVICE_PCI_HOT_RESET", Errno.EAGAIN);

        using var resets = Of(graphics, Function(Audio));
        resets.Reset();

        Assert.Equal(
            (LogLevel.Warning, $"{Graphics}, {Audio} can't be reset: {graphics.Refusal.Message}"),
            (_log[0].Level, Assert.Single(_log).Text));
    }

    [Fact]
    public void A_device_that_does_not_answer_after_the_reset_is_refused()
    {
        OnOneBus(Graphics, Audio);
        var audio = Function(Audio, hasOwnReset: true);
        audio.Answers = false;

        using var resets = Of(Function(Graphics), audio);

        var failure = Assert.Throws<PassthroughException>(resets.Reset);
        Assert.StartsWith($"{Audio} does not answer after a reset", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_a_device_that_the_host_took_back_nothing_is_said_at_the_end_and_the_one_beside_it_is_left_as_it_is()
    {
        OnOneBus(Graphics, Audio);
        var (graphics, audio) = (Function(Graphics), Function(Audio));
        var resets = Of(graphics, audio);
        resets.Reset();
        _log.Clear();

        graphics.IsOpen = false;
        _tree.Unbind(Graphics);
        resets.Dispose();

        Assert.Equal(
            $"{Audio} can only be reset with the whole bus, but {Graphics} is bound to no driver: their next user finds them as this guest "
            + $"left them: 'hatchway host reserve {Graphics}'",
            Assert.Single(_log).Text);
    }

    [Fact]
    public void A_function_that_vanishes_while_it_is_looked_at_does_not_keep_the_guest_from_ending()
    {
        OnOneBus(Graphics, Audio);
        var graphics = Function(Graphics);
        graphics.Unknown = new LinuxException("VFIO_DEVICE_GET_PCI_HOT_RESET_INFO", Errno.EPERM);

        Run(graphics);

        Assert.Empty(_resets);
        Assert.All(_log, line => Assert.Equal($"{Graphics} can't be reset: {graphics.Unknown.Message}", line.Text));
    }

    private void OnOneBus(params string[] functions)
    {
        foreach (var function in functions)
            _buses[function] = [.. functions];
    }

    private void Run(params FakeFunction[] functions)
    {
        using var resets = Of(functions);
        resets.Reset();
    }

    private HotResets Of(params FakeFunction[] functions) =>
        new(functions, _groups.Contains, address => HostDevice.Find(_tree.Sysfs, address), new LeveledLog(_log));

    private FakeFunction Function(string address, bool hasOwnReset = false) => new(this, PciAddress.Parse(address), hasOwnReset);

    private HostDevice Find(PciAddress address) => HostDevice.Find(_tree.Sysfs, address)!;

    private sealed record LoggedLine(LogLevel Level, string Text);

    private sealed class FakeFunction(HotResetsTests test, PciAddress address, bool hasOwnReset) : IHotResetFunction
    {
        public HostDevice Host { get; } = test.Find(address);

        public bool HasOwnReset => hasOwnReset;

        public bool IsOpen { get; set; } = true;

        public bool Answers { get; set; } = true;

        public LinuxException? Refusal { get; set; }

        public LinuxException? Unknown { get; set; }

        public IReadOnlyList<DependentFunction>? GetDependentFunctions()
        {
            if (Unknown is not null)
                throw Unknown;
            if (!test._buses.TryGetValue(address.ToString(), out var bus))
                return null;
            return [.. bus.Select(name => test.Find(PciAddress.Parse(name))).Select(static other => new DependentFunction(
                other.IommuGroup!.Value, other.Address.Bus, other.Address.Device, other.Address.Function))];
        }

        public void HotReset(IReadOnlyList<int> groups)
        {
            if (Refusal is not null)
                throw Refusal;
            test._resets.Add($"{address} by {string.Join(' ', groups)}");
        }
    }

    private sealed class LeveledLog(List<LoggedLine> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Add(new LoggedLine(logLevel, formatter(state, exception)));
    }
}
