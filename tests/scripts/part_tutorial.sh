# docs/tutorial.md: its commands work as they stand there.
build=$1
dir=$build/tests/tutorial
if ! command -v python3 >/dev/null; then
    echo "ok - tutorial # SKIP python3 is not installed"
    exit 0
fi
. tests/scripts/tutorial.sh
tutorial_begin "$build" "$dir" 14
tutorial_commands >"$dir/commands"
check() { # name, command...
    name=$1
    shift
    if "$@"; then echo "ok - tutorial: $name"; else echo "not ok - tutorial: $name"; fi
}
check "it has commands" [ "$(wc -l <"$dir/commands")" -ge 9 ]
for command in check run review pilot masks export import; do
    check "it shows weaksam $command" grep -q "^weaksam $command " "$dir/commands"
done
while read -r line; do
    if (cd "$dir" && PATH=$root/$dir/bin:$PATH sh -c "$line") </dev/null >"$dir/said" 2>&1; then
        echo "ok - tutorial: $line"
    else
        echo "not ok - tutorial: $line"
        tail -n 3 "$dir/said" | sed 's/^/# /'
    fi
done <"$dir/commands"
for file in out/final.json out/report.html out/reviewed.json out/pilot.html rules.json sure.json corrected.json; do
    check "$file is there" [ -s "$dir/$file" ]
done
# What the page speaks of is there: files, documents, pictures.
for name in $(sed -n 's/.*](\([a-z/._-]*\)).*/\1/p' docs/tutorial.md); do
    check "docs/$name is there" [ -s "docs/$name" ]
done
