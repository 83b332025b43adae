using Spectre.Console;

namespace Hatchway.Terminal;

/// <summary>A progress bar on standard error that disappears when the work is done.</summary>
internal static class ProgressBar
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    /// <summary>Shows the progress of some work until it ends, successfully or not.</summary>
    /// <param name="text">Describes the work.</param>
    /// <param name="work">The work.</param>
    /// <param name="fraction">Gives its progress, from 0 to 1.</param>
    public static void Show(string text, Task work, Func<double> fraction) =>
        AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) })
            .Progress().AutoClear(true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
            .Start(context =>
            {
                var bar = context.AddTask(text, maxValue: 1);
                // Waits without throwing: the caller handles the work's failure.
                while (!((IAsyncResult)work).AsyncWaitHandle.WaitOne(Step))
                    bar.Value = fraction();
            });
}
