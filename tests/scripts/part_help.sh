# Help, man pages and completion: every option is described, lines fit the terminal, man renders the pages without a warning.
build=$1
weaksam=$build/weaksam
dir=$build/tests/help
rm -rf "$dir"
mkdir -p "$dir"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

# Options that a command takes: those of its own table. cmd_twin.c has two commands, the first words of whose tables tell;
# the table of run is a file of its own.
options_of() { # command
    file=$(grep -l "\.name = \"$1\"" cli/cmd_*.c)
    case $1 in
    twin | draw) sed -n "/^static const struct option $1_options/,/NULL, 0, NULL, 0/p" "$file" ;;
    run) cat cli/run_options.c ;;
    *) cat "$file" ;;
    esac | sed -n 's/.*{"\([a-z][a-z-]*\)", [a-z]*_argument.*/\1/p'
}

commands=$("$weaksam" help --list)
[ "$(echo "$commands" | wc -l)" -ge 24 ]
verdict $? "help --list names the commands"
for command in $commands; do
    "$weaksam" "$command" --help >"$dir/$command.txt" 2>&1
    verdict $? "$command --help"
    wide=$(awk 'length($0) > 100' "$dir/$command.txt" | head -1)
    [ -z "$wide" ] || echo "not ok - $command --help is wider than 100 columns: $wide"
    grep -q '^Examples:$' "$dir/$command.txt" || echo "not ok - $command --help has no examples"
    ! grep -q 'struct option ' "$(grep -l "\.name = \"$command\"" cli/cmd_*.c)" || [ -n "$(options_of "$command")" ] ||
        echo "not ok - no table of options of $command is found"
    for option in $(options_of "$command"); do
        grep -q -e "--$option\b" "$dir/$command.txt" || echo "not ok - $command --help does not describe --$option"
    done
    "$weaksam" help "$command" | cmp -s - "$dir/$command.txt" || echo "not ok - help $command differs from $command --help"
    # Options of the examples are options of the command.
    sed -n '/^Examples:$/,$p' "$dir/$command.txt" | grep "weaksam $command " | grep -o -e ' --[a-z-]*' | sort -u |
        while read -r option; do
            sed '/^Examples:$/,$d' "$dir/$command.txt" | grep -q -e "$option\b" ||
                echo "not ok - an example of $command has the unknown option $option"
        done
done
"$weaksam" help nonsense >/dev/null 2>"$dir/said"
[ $? -eq 2 ] && grep -q 'expected the name of a command' "$dir/said"
verdict $? "help of an unknown command"

"$weaksam" help --completion >"$dir/weaksam.bash"
bash -n "$dir/weaksam.bash" && bash -c '
    . "$1"
    COMP_WORDS=(weaksam segment --poi) COMP_CWORD=2
    _weaksam
    [ "${COMPREPLY[*]}" = --point ] || exit 1
    COMP_WORDS=(weaksam conv) COMP_CWORD=1
    _weaksam
    [ "${COMPREPLY[*]}" = convert ]' - "$dir/weaksam.bash"
verdict $? "bash completes commands and options"

if ! command -v man >/dev/null || ! man --version >/dev/null 2>&1; then
    echo "ok - man pages render # SKIP man is not there"
    exit 0
fi
for page in '' $commands; do
    name=weaksam${page:+-$page}.1
    # shellcheck disable=SC2086 # no page: the overview
    "$weaksam" help --man $page >"$dir/$name"
    MANWIDTH=100 LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l "$dir/$name" >"$dir/rendered" 2>"$dir/warnings"
    [ -s "$dir/rendered" ] && [ ! -s "$dir/warnings" ] && grep -q SYNOPSIS "$dir/rendered"
    verdict $? "man -l $name"
    head -2 "$dir/warnings" | sed 's/^/# /'
done
