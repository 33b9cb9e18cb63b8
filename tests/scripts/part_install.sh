# The installed tree serves a stranger: the example builds with what pkg-config says, against the
# shared and the static library, and runs; uninstall leaves nothing.
build=$1
root=$(cd "$build" && pwd)/tests/install
cc=${CC:-gcc}
rm -rf "$root"
if make --no-print-directory BUILD="$build" PREFIX="$root" install; then
    echo "ok - make install"
else
    echo "not ok - make install"
    exit 1
fi
export PKG_CONFIG_PATH="$root/lib/pkgconfig"
pc=${PKG_CONFIG:-pkg-config}
example=tests/example.c
lines=$(wc -l <$example)
if [ "$lines" -lt 60 ]; then echo "ok - the example has $lines lines"; else echo "not ok - the example has $lines lines"; fi

# shellcheck disable=SC2046 # options
if $cc -Wall -Wextra -Werror $($pc --cflags weaksam) $example $($pc --libs weaksam) -o "$root/example"; then
    echo "ok - example against the shared library"
else
    echo "not ok - example against the shared library"
fi
# shellcheck disable=SC2046
if $cc $($pc --cflags weaksam) $example "$root/lib/libweaksam.a" \
    $($pc --static --libs weaksam | sed 's/-lweaksam//') -o "$root/example-static"; then
    echo "ok - example against the static library"
else
    echo "not ok - example against the static library"
fi

weaksam=$root/bin/weaksam
if "$weaksam" twin mobile_sam -o "$root/twin.safetensors" &&
    "$weaksam" convert "$root/twin.safetensors" -o "$root/twin.wsam" &&
    "$weaksam" draw -o "$root/picture.png"; then
    for program in example example-static; do
        if LD_LIBRARY_PATH="$root/lib" "$root/$program" "$root/twin.wsam" "$root/picture.png" 320 240 "$root/mask.png"; then
            echo "ok - $program runs"
        else
            echo "not ok - $program runs"
        fi
    done
else
    echo "not ok - model and picture for the example"
fi

make --no-print-directory BUILD="$build" PREFIX="$root" uninstall >/dev/null
left=$(find "$root/bin" "$root/lib" "$root/include" -type f -o -type l | head -3)
if [ -z "$left" ]; then echo "ok - make uninstall"; else echo "not ok - make uninstall left $left"; fi
rm -rf "$root"
