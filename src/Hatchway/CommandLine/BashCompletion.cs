using System.Text;

namespace Hatchway.CommandLine;

/// <summary>Completion for bash (bash(1), "Programmable Completion").</summary>
internal static class BashCompletion
{
    /// <summary>The script that bash sources.</summary>
    public static string Script
    {
        get
        {
            var text = new StringBuilder();
            text.Append(
                $$"""
                # bash completion for hatchway, made by 'hatchway completion bash'
                _hatchway() {
                    local current=${COMP_LINE:0:COMP_POINT} previous=${COMP_WORDS[COMP_CWORD-1]} name=${COMP_WORDS[1]} at=1 words=
                    # Not bash's word, which ends at each colon.
                    current=${current##*[[:space:]]}
                    case $name in
                        {{string.Join('|', CompletionWords.Groups)}}) name+=" ${COMP_WORDS[2]}" at=2 ;;
                    esac
                    if ((COMP_CWORD <= at)); then
                        case $COMP_CWORD$name in
                            1*) words='{{string.Join(' ', CompletionWords.First.Select(static first => first.Word))}} --help --version' ;;

                """);
            foreach (var group in CompletionWords.Groups)
            {
                var verbs = Commands.All.Where(command => command.Group == group).Select(CompletionWords.Second);
                text.Append($"            '2{group} '*) words='{string.Join(' ', verbs)} --help' ;;\n");
            }
            text.Append("        esac\n    else\n        case \"$name $previous\" in\n");
            foreach (var command in Commands.All)
            {
                foreach (var option in CompletionWords.Options(command).Where(static option => option.Argument is not null))
                    text.Append($"            '{command.Name} {option.Display}') {Words(Command.ArgumentOf(option))} ;;\n");
            }
            text.Append("            *)\n                case \"$name $current\" in\n");
            foreach (var command in Commands.All)
            {
                var options = string.Join(' ', CompletionWords.Options(command).Select(static option => option.Display));
                text.Append($"                    '{command.Name} -'*) words='{options}' ;;\n");
                text.Append($"                    '{command.Name} '*) {Words(command.Operand)} ;;\n");
            }
            text.Append(
                """
                                esac
                                ;;
                        esac
                    fi
                    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
                    # What bash takes for words before is on the line already.
                    COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
                }
                complete -F _hatchway hatchway

                """);
            return text.ToString();
        }
    }

    private static string Words(WordKind kind) => kind == WordKind.File
        ? "mapfile -t COMPREPLY < <(compgen -f -- \"$current\"); compopt -o filenames; return"
        : CompletionWords.Source(kind) is { } source ? $"words=$({source})" : "return";
}
