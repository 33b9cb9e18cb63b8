# The documents: links lead somewhere, commands and options exist, messages are messages of the program.
build=$1
weaksam=$build/weaksam
dir=$build/tests/docs
rm -rf "$dir"
mkdir -p "$dir"

verdict() { # list of what is wrong, name
    if [ -z "$1" ]; then
        echo "ok - $2"
    else
        echo "not ok - $2:"
        echo "$1" | sed 's/^/  /'
    fi
}

documents=$(git ls-files '*.md' 2>/dev/null || find . -name '*.md' -not -path './build*')

dead=$(for file in $documents; do
    grep -o '](\([^)#]*\)' "$file" | sed 's/^](//' | grep -v '^[a-z]*:' | grep -v '^$' | while read -r link; do
        [ -e "$(dirname "$file")/$link" ] || echo "$file: $link"
    done
done)
verdict "$dead" 'links lead to files'

missing=$("$weaksam" kernels | sed -n '1s/^family//p' | tr -d '()' | tr ' ' '\n' | grep . | while read -r level; do
    grep -q "^| .*\`$level\`.* |" docs/building.md || echo "$level"
done)
verdict "$missing" 'every instruction-set level is in docs/building.md'

# Command lines: "weaksam COMMAND ... --option", with lines that go on after a backslash.
for command in $("$weaksam" help --list); do "$weaksam" "$command" --help >"$dir/$command" 2>&1; done
for part in compare scale; do "$weaksam" bench $part --help >>"$dir/bench" 2>&1; done
wrong=$(for file in README.md docs/*.md demo/*.md CONTRIBUTING.md; do
    sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "$file" | grep -o 'weaksam [a-z][a-z-]* [^`|#]*' | while read -r _ command rest; do
        [ -e "$dir/$command" ] || continue
        for word in $rest; do
            case $word in
            --*) option=${word%%[!a-z-]*}
                grep -q -e "$option\b" "$dir/$command" || echo "$file: weaksam $command has no $option" ;;
            esac
        done
    done
done | sort -u)
verdict "$wrong" 'options exist'
unknown=$(for file in README.md docs/*.md; do
    grep -o '^weaksam [a-z][a-z-]*' "$file" | while read -r _ command; do
        [ -e "$dir/$command" ] || echo "$file: weaksam $command"
    done
done | sort -u)
verdict "$unknown" 'commands exist'

# Messages: the first cell of a row, whose parts around "..." stand in the sources (a literal may be broken over lines).
cat cli/*.c pipeline/*/*.c runtime/*.c runtime/*/*.c weights/*.c weights/*/*.c kernels/*.c base/*.c | tr -d '\n' | sed 's/" *"//g' >"$dir/sources"
lost=$(sed -n 's/^| `\([^`]*\)`.*/\1/p' docs/troubleshooting.md | while read -r message; do
    echo "$message" | sed 's/\.\.\./\n/g' | sed "s/^['), ]*//; s/['(, ]*$//" | while read -r part; do
        [ -z "$part" ] || grep -qF -e "$part" "$dir/sources" || echo "$message"
    done
done)
verdict "$lost" 'messages of docs/troubleshooting.md are messages of the program'
