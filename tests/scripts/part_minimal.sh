# MINIMAL=1 installs what kernels and runtime can serve and no more, and a program builds against it.
build=$1
root=$(cd "$build" && pwd)/tests/minimal
cc=${CC:-gcc}
pc=${PKG_CONFIG:-pkg-config}
rm -rf "$root"
mkdir -p "$root"
verdict() { # exit status, name
    if [ "$1" -eq 0 ]; then echo "ok - minimal: $2"; else echo "not ok - minimal: $2"; fi
}
make --no-print-directory -s MINIMAL=1 CC="$cc" BUILD="$build/minimal" DESTDIR="$root" PREFIX=/opt/weaksam install >"$root/log" 2>&1
status=$?
[ $status -eq 0 ] || sed 's/^/# /' "$root/log"
verdict $status 'make MINIMAL=1 install'

at=$root/opt/weaksam
(cd "$at" && find . -type f -o -type l) | sort >"$root/files"
cat >"$root/wanted" <<FILES
./include/weaksam/base.h
./include/weaksam/kernels.h
./include/weaksam/masks.h
./include/weaksam/model.h
./lib/libweaksam.a
./lib/libweaksam.so
$(cd "$at" && ls ./lib/libweaksam.so.* | sort)
./lib/pkgconfig/weaksam.pc
FILES
diff "$root/wanted" "$root/files" >"$root/more"
status=$?
sed 's/^/# /' "$root/more"
verdict $status 'four headers, the library and its pkg-config file, and nothing else'

# Whatever the headers promise is in the library; whatever they include is there.
sed -n 's/^#include "\(weaksam\/.*\)"/\1/p' "$at"/include/weaksam/*.h | sort -u | while read -r header; do
    [ -e "$at/include/$header" ] || echo "$header"
done >"$root/missing"
cat "$at"/include/weaksam/*.h | tr '\n' ' ' | grep -oE 'WSAM_API [^;]*;' | grep -oE '\bwsam_[a-z0-9_]+\(' | tr -d '(' |
    sort -u >"$root/promised"
nm -D --defined-only "$at/lib/libweaksam.so" | awk '$3 ~ /^wsam_/ { print $3 }' | sort >"$root/there"
comm -23 "$root/promised" "$root/there" >>"$root/missing"
sed 's/^/# missing: /' "$root/missing"
[ -s "$root/promised" ] && [ ! -s "$root/missing" ]
verdict $? 'the library has every function of the headers'

# No other library of ours: what is needed comes with the compiler.
export PKG_CONFIG_PATH="$at/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
[ -z "$($pc --print-requires-private weaksam)" ]
verdict $? 'no other package is required'
# shellcheck disable=SC2046 # options
$cc -Wall -Wextra -Werror $($pc --cflags weaksam) tests/minimal.c $($pc --libs weaksam) -o "$root/shared" &&
    $cc $($pc --cflags weaksam) tests/minimal.c "$at/lib/libweaksam.a" \
        $($pc --static --libs weaksam | sed 's/-lweaksam//') -o "$root/static" &&
    $cc -Iinclude tests/minimal.c -L"$build" -lweaksam -o "$root/whole"
verdict $? 'a program against the shared and the static library'
LD_LIBRARY_PATH="$at/lib" "$root/shared" weights/demo/segmenter.wsam >"$root/shared.txt" &&
    "$root/static" weights/demo/segmenter.wsam >"$root/static.txt" &&
    LD_LIBRARY_PATH="$build" "$root/whole" weights/demo/segmenter.wsam >"$root/whole.txt" &&
    [ -s "$root/shared.txt" ] && cmp "$root/shared.txt" "$root/static.txt" && cmp "$root/shared.txt" "$root/whole.txt"
verdict $? 'runs a weight file, with the numbers of the whole library'
make --no-print-directory -s MINIMAL=1 CC="$cc" BUILD="$build/minimal" DESTDIR="$root" PREFIX=/opt/weaksam uninstall >/dev/null
left=$(find "$at" -type f -o -type l | head -3)
[ -z "$left" ]
verdict $? "uninstall leaves nothing $left"
