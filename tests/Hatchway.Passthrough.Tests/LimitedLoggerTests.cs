using Microsoft.Extensions.Logging;

namespace Hatchway.Passthrough.Tests;

public sealed class LimitedLoggerTests
{
    [Fact]
    public void A_minute_has_a_number_of_lines_and_one_that_says_so_and_the_next_minute_has_them_again()
    {
        var lines = new Lines();
        var time = new Clock();
        var log = new LimitedLogger(lines, "0000:00:06.0", LimitedLogger.MostOfDevice, time);

        Write(log, 1000);
        Assert.Equal(LimitedLogger.MostOfDevice + 1, lines.Count);
        Assert.Contains("0000:00:06.0: more than", lines[^1], StringComparison.Ordinal);

        time.Seconds = 61;
        Write(log, 1);
        Assert.Equal("line 0", lines[^1]);
    }

    private static void Write(LimitedLogger log, int count)
    {
        for (var i = 0; i < count; i++)
            log.Log(LogLevel.Warning, default, i, null, static (i, _) => $"line {i}");
    }

    private sealed class Clock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
