using Spectre.Console;

namespace Hatchway.Terminal;

/// <summary>A bar on standard error that goes away when the work is done.</summary>
internal static class ProgressBar
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    /// <summary>Shows how far work is until it has ended, however it does.</summary>
    /// <param name="text">What is done.</param>
    /// <param name="work">The work.</param>
    /// <param name="fraction">How far it is, from 0 to 1.</param>
    public static void Show(string text, Task work, Func<double> fraction) =>
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) })
            .Progress().AutoClear(true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
            .Start(context =>
            {
                var bar = context.AddTask(text, maxValue: 1);
                // Its failure is for whoever waits for the work itself.
                while (!((IAsyncResult)work).AsyncWaitHandle.WaitOne(Step))
                    bar.Value = fraction();
            });
}
