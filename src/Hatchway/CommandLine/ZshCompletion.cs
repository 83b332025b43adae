using System.Text;

namespace Hatchway.CommandLine;

/// <summary>Completion for zsh (zshcompsys(1)).</summary>
internal static class ZshCompletion
{
    /// <summary>The script that zsh reads, as the file _hatchway in its fpath.</summary>
    public static string Script
    {
        get
        {
            var text = new StringBuilder();
            text.Append(
                $$"""
                #compdef hatchway
                # made by 'hatchway completion zsh'
                local name=$words[2] at=2
                local -a list
                case $name in
                    ({{string.Join('|', CompletionWords.Groups)}}) name+=" $words[3]" at=3 ;;
                esac
                if (( CURRENT <= at )); then
                    case $CURRENT$name in

                """);
            text.Append($"        (2*) list=({List(CompletionWords.First)}) ;;\n");
            foreach (var group in CompletionWords.Groups)
            {
                var verbs = Commands.All.Where(command => command.Group == group)
                    .Select(static command => (CompletionWords.Second(command), command.Summary));
                text.Append($"        ('3{group} '*) list=({List(verbs)}) ;;\n");
            }
            text.Append("    esac\n    _describe command list\n    return\nfi\ncase \"$name $words[CURRENT-1]\" in\n");
            foreach (var command in Commands.All)
            {
                foreach (var option in CompletionWords.Options(command).Where(static option => option.Argument is not null))
                    text.Append($"    ('{command.Name} {option.Display}') {Words(Command.ArgumentOf(option))}; return ;;\n");
            }
            text.Append("esac\ncase \"$name $words[CURRENT]\" in\n");
            foreach (var command in Commands.All)
            {
                var options = CompletionWords.Options(command).Select(static option => (option.Display, option.Help));
                text.Append($"    ('{command.Name} -'*) list=({List(options)}); _describe -o option list ;;\n");
                text.Append($"    ('{command.Name} '*) {Words(command.Operand)} ;;\n");
            }
            return text.Append("esac\n").ToString();
        }
    }

    private static string List(IEnumerable<(string Word, string Summary)> words) => string.Join(' ', words.Select(static word =>
        $"'{word.Word}:{word.Summary.Replace("'", "'\\''", StringComparison.Ordinal).Replace(":", "\\:", StringComparison.Ordinal)}'"));

    private static string Words(WordKind kind) => kind == WordKind.File
        ? "_files"
        : CompletionWords.Source(kind) is { } source ? $"compadd -- ${{(f)\"$({source})\"}}" : "_message argument";
}
