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
foreign=$(nm -D --defined-only "$build/libweaksam.so" | awk '$2 ~ /[TDBRVW]/ && $3 !~ /^wsam_/ {print $3}')
if [ -z "$foreign" ]; then
    echo "ok - libweaksam.so exports wsam_ names alone"
else
    echo "not ok - libweaksam.so also exports $foreign"
fi
