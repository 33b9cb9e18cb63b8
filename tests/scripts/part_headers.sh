# Every public header compiles alone, as C11 and as C++, without a warning; the shared library
# exports the public prefix and nothing else.
build=$1
for header in include/weaksam/*.h; do
    name=$(basename "$header")
    for language in "${CC:-gcc} -std=c11 -x c" "${CXX:-g++} -std=c++11 -x c++"; do
        # shellcheck disable=SC2086 # a compiler and its options
        if $language -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$header" 2>&1; then
            echo "ok - header $name: ${language##* }"
        else
            echo "not ok - header $name: ${language##* }"
        fi
    done
done
# Every public function has a comment next to it.
bare=$(awk '/^WSAM_API/ { open = 1; name = $0; described = last ~ /\*\/[ \t]*$/ }
            open && /\/\*/ { described = 1 }
            open && /;/ { if (!described) print FILENAME ": " name; open = 0 }
            { last = $0 }' include/weaksam/*.h)
if [ -z "$bare" ]; then
    echo "ok - every public function is described"
else
    echo "not ok - without a comment: $bare"
fi
foreign=$(nm -D --defined-only "$build/libweaksam.so" | awk '$2 ~ /[TDBRVW]/ && $3 !~ /^wsam_/ {print $3}')
if [ -z "$foreign" ]; then
    echo "ok - libweaksam.so exports wsam_ names alone"
else
    echo "not ok - libweaksam.so also exports $foreign"
fi

# The exported symbols are written down: one that goes, or comes, is meant to. `make symbols` writes the list.
symbols=tests/data/symbols.txt
if changed=$(nm -D --defined-only "$build/libweaksam.so" | awk '$3 ~ /^wsam_/ {print $3}' | LC_ALL=C sort | diff $symbols -); then
    echo "ok - libweaksam.so exports what $symbols lists"
else
    echo "not ok - exported symbols changed; if that is meant, run 'make symbols' and say so in CHANGELOG.md:"
    echo "$changed" | sed -n 's/^[<>]/# &/p'
fi
