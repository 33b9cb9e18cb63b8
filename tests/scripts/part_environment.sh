# Surroundings that are not as a developer's: a comma in numbers, names in Latin-1, pipes and devices
# as files, links, full disks, folders that cannot be written, two processes at one state.
build=$1
weaksam=$(realpath "$build/weaksam")
mini=$(realpath "$build/mini/sam_mini.wsam")
dir=$build/tests/environment
rm -rf "$dir"
mkdir -p "$dir/pics" "$dir/locale"
dir=$(realpath "$dir")
"$build/tests/pictures" "$dir" || echo "not ok - pictures"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

works() { # name, command...
    name=$1
    shift
    "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq 0 ] || sed 's/^/# /' "$dir/stderr"
    verdict $status "$name"
}

# Status 1 and the words, within 20 seconds: nothing waits for a pipe that nobody writes to.
refuses() { # words, name, command...
    words=$1 name=$2
    shift 2
    timeout 20 "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    grep -q -- "$words" "$dir/stderr" && [ $status -eq 1 ]
    status=$?
    [ $status -eq 0 ] || sed 's/^/# /' "$dir/stderr"
    verdict $status "$name"
}

# ---- numbers with a comma in the host program ----
printf 'LC_NUMERIC\ndecimal_point ","\nthousands_sep "."\ngrouping 3;3\nEND LC_NUMERIC\n' >"$dir/comma"
localedef -c -i "$dir/comma" -f ANSI_X3.4-1968 "$dir/locale/de_DE" >/dev/null 2>&1
if [ -d "$dir/locale/de_DE" ]; then
    for t in "test_base base/numbers*" "test_eval_files records/numbers*" "test_comma comma/numbers*"; do
        LOCPATH=$dir/locale "$build/tests/${t% *}" --filter "${t#* }" --verbose >"$dir/stdout" 2>&1
        grep -q '^\[PASS\].*numbers' "$dir/stdout"
        verdict $? "decimal comma: ${t% *}"
    done
else
    echo "# skipped: localedef makes no locale with a decimal comma here"
fi

# ---- names that are not UTF-8 ----
latin=$(printf 'caf\351.png')
cp "$dir/card.png" "$dir/pics/$latin"
works "Latin-1: propose" "$weaksam" propose -m "$mini" "$dir/pics" --points-per-side 2 --no-masks -o "$dir/latin.jsonl" --quiet
grep -q 'caf\\udce9.png' "$dir/latin.jsonl"
verdict $? "Latin-1: the name is an escape in valid JSON"
printf '{"images":[{"id":1,"file_name":"caf\\udce9.png","width":0,"height":0}],"categories":[{"id":1,"name":"x"}],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[10,10,50,40],"area":2000}]}' >"$dir/latin.json"
works "Latin-1: masks finds the image" "$weaksam" masks -m "$mini" "$dir/latin.json" "$dir/pics" -o "$dir/latin_masks.json"
works "Latin-1: eval reads both" "$weaksam" eval --gt "$dir/latin_masks.json" --dt "$dir/latin_masks.json" --kind bbox
works "Latin-1: report shows the image" "$weaksam" report "$dir/latin_masks.json" "$dir/pics" -o "$dir/latin.html"

# ---- what is not there is said at once, and not tried again ----
refuses "has none of these images" "a page without any image is no success" "$weaksam" report "$dir/latin.json" "$dir/locale" -o "$dir/none.html"
printf 'image,class\ncard.png,x\n' >"$dir/labels.csv"
for option in --reviewed --list; do
    for file in nothere "$dir/pics"; do
        "$weaksam" run "$dir/pics" --labels "$dir/labels.csv" -m "$mini" -o "$dir/never" $option "$file" >/dev/null 2>&1
        [ $? -eq 66 ] && [ ! -e "$dir/never" ]
        verdict $? "run $option $(basename "$file"): a missing input, before the first image"
    done
done


# ---- a file where a folder is wanted ----
printf x >"$dir/taken"
for place in taken taken/below; do
    "$weaksam" run "$dir/pics" --labels "$dir/labels.csv" -m "$mini" -o "$dir/$place" >/dev/null 2>"$dir/stderr"
    [ $? -eq 64 ] && grep -q "a file is there, and OUT is a folder" "$dir/stderr" && [ "$(cat "$dir/taken")" = x ]
    verdict $? "run -o $place: a wrong argument, not a failure that may pass"
done
(cd "$dir" && "$weaksam" run pics --labels labels.csv -m "$mini" -o - >/dev/null 2>stderr; [ $? -eq 64 ] && [ ! -e ./- ])
verdict $? "run -o -: no folder of that name"
refuses "taken: is there, and not a directory" "export -o with a file there" "$weaksam" export "$dir/latin_masks.json" --format voc -o "$dir/taken"

# the bytes themselves, without an escape
printf '{"images":[{"id":1,"file_name":"%s","width":0,"height":0}],"categories":[{"id":1,"name":"x"}],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[10,10,50,40],"area":2000}]}' "$latin" >"$dir/raw.json"
printf '{"%s":["x"]}' "$latin" >"$dir/raw_labels.json"
works "raw Latin-1: masks finds the image" "$weaksam" masks -m "$mini" "$dir/raw.json" "$dir/pics" -o "$dir/raw_masks.json"
cmp -s "$dir/raw_masks.json" "$dir/latin_masks.json"
verdict $? "raw Latin-1: and writes what it writes of an escape"
works "raw Latin-1: eval reads it" "$weaksam" eval --gt "$dir/raw.json" --dt "$dir/raw_masks.json" --kind bbox
works "raw Latin-1: report shows the image" "$weaksam" report "$dir/raw.json" "$dir/pics" -o "$dir/raw.html"
grep -q "(0 not readable)" "$dir/stderr"
verdict $? "raw Latin-1: ... and counts it"
for labels in raw.json raw_labels.json; do
    "$weaksam" check "$dir/pics" --labels "$dir/$labels" >"$dir/stdout" 2>"$dir/stderr"
    grep -q 'images: 1 with labels' "$dir/stdout"
    verdict $? "raw Latin-1: labels in $labels find the image"
done

# ---- names from elsewhere ----
cp "$dir/card.png" "$dir/pics/a.png"
for name in 'images\\a.png' 'C:\\data\\A.PNG' '/upload/3/1a2b3c4d-a.png'; do
    printf '{"images":[{"id":1,"file_name":"%s","width":0,"height":0}],"categories":[{"id":1,"name":"x"}],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[10,10,50,40],"area":2000}]}' "$name" >"$dir/windows.json"
    works "masks finds $name" "$weaksam" masks -m "$mini" "$dir/windows.json" "$dir/pics" -o "$dir/windows_masks.json"
done

# ---- what other systems leave in folders, and endings in capitals ----
mkdir -p "$dir/voc/Annotations" "$dir/vocpics"
cp "$dir/card.png" "$dir/vocpics/b.PNG"
printf '\0\005\026\007' >"$dir/vocpics/._b.PNG"
cp "$dir/vocpics/._b.PNG" "$dir/voc/Annotations/._b.XML"
cp "$dir/vocpics/._b.PNG" "$dir/voc/Annotations/._b.xml"
printf '<annotation><filename>b.PNG</filename><size><width>640</width><height>480</height></size><object><name>x</name><bndbox><xmin>11</xmin><ymin>11</ymin><xmax>60</xmax><ymax>50</ymax></bndbox></object></annotation>' >"$dir/voc/Annotations/b.XML"
"$weaksam" check "$dir/vocpics" --labels "$dir/voc" >"$dir/stdout" 2>"$dir/stderr"
grep -q 'images: 1 with labels' "$dir/stdout"
verdict $? "b.XML and ._b.XML: labels"
works "b.XML and ._b.XML: import" "$weaksam" import "$dir/voc" --images "$dir/vocpics" -o "$dir/voc.json"
grep -q '"file_name":"b.PNG"' "$dir/voc.json"
verdict $? "b.XML and ._b.XML: the image is found"
works "b.XML and ._b.XML: eval" "$weaksam" eval --gt "$dir/voc" --dt "$dir/voc.json" --kind bbox
works "._b.PNG: no image" "$weaksam" propose -m "$mini" "$dir/vocpics" --points-per-side 2 --no-masks -o "$dir/vocpics.jsonl" --quiet
[ "$(wc -l <"$dir/vocpics.jsonl")" -eq 1 ]
verdict $? "._b.PNG: passed over"

# ---- pipes, devices and what is no text ----
mkfifo "$dir/pipe"
"$weaksam" twin weaktr_mini -o "$dir/weaktr.safetensors" >/dev/null 2>&1
for file in "$dir/pipe" /dev/zero /dev/full "$dir"; do
    refuses "$file" "--classes $file" "$weaksam" convert "$dir/weaktr.safetensors" -o "$dir/c.wsam" --classes "$file"
    refuses "$file" "--gt $file" "$weaksam" eval --gt "$file" --dt "$dir/latin_masks.json"
    refuses "$file" "--prompts $file" "$weaksam" segment -m "$mini" "$dir/card.png" --prompts "$file" -o "$dir/p.json"
    refuses "$file" "convert $file" "$weaksam" convert "$file" -o "$dir/c.wsam"
    refuses "$file" "an image $file" "$weaksam" segment -m "$mini" "$file" --point 3,3 -o "$dir/p.json"
    refuses "$file" "--features $file" "$weaksam" train --stage mil --features "$file" --labels "$dir/l.csv" --images "$dir/pics" "$dir/latin.jsonl" -o "$dir/h.wsam"
done
# ---- a full temporary folder ----
if unshare -m true 2>/dev/null; then
    full() { # command: in a place where /tmp is full
        W=$weaksam M=$mini D=$dir unshare -m sh -c 'mount -t tmpfs -o size=64k tmpfs /tmp; cat /dev/zero >/tmp/fill 2>/dev/null; '"$1" >"$dir/stdout" 2>"$dir/stderr"
    }
    full '"$W" masks -m "$M" "$D/latin.json" "$D/pics" -o "$D/full.json" --quiet'
    verdict $? "full /tmp: a data set is written all the same"
    cmp -s "$dir/full.json" "$dir/latin_masks.json"
    verdict $? "full /tmp: and whole"
    full '"$W" convert "$D/weaktr.safetensors" -o /dev/stdout --quiet | cat >"$D/full.w"; test ! -s "$D/full.w"'
    verdict $? "full /tmp: nothing half is written into a pipe"
    grep -q 'No space left' "$dir/stderr"
    verdict $? "full /tmp: and the reason is said"
else
    echo "# skipped: no mounts of one's own here, so no full /tmp"
fi

printf '\377\376a\0' >"$dir/utf16"
refuses "UTF-16" "a list in UTF-16" "$weaksam" convert "$dir/weaktr.safetensors" -o "$dir/c.wsam" --classes "$dir/utf16"

# ---- outputs ----
"$weaksam" encode -m "$mini" "$dir/card.png" -o "$dir/e.safetensors" --threads 1 2>/dev/null
echo old >"$dir/target"
ln -s target "$dir/link"
works "output to a link" "$weaksam" encode -m "$mini" "$dir/card.png" -o "$dir/link" --threads 1
[ -L "$dir/link" ] && cmp -s "$dir/e.safetensors" "$dir/target"
verdict $? "the link stays, its target is replaced"
works "output to a device" "$weaksam" encode -m "$mini" "$dir/card.png" -o /dev/null --threads 1
[ -c /dev/null ]
verdict $? "/dev/null is a device still"
cat "$dir/pipe" >"$dir/through" &
works "output to a pipe" "$weaksam" encode -m "$mini" "$dir/card.png" -o "$dir/pipe" --threads 1
wait $!
[ -p "$dir/pipe" ] && cmp -s "$dir/e.safetensors" "$dir/through"
verdict $? "the pipe got the whole file"
{ printf head; "$weaksam" encode -m "$mini" "$dir/card.png" -o /dev/stdout --threads 1; } >"$dir/both"
(printf head; cat "$dir/e.safetensors") | cmp -s - "$dir/both"
verdict $? "/dev/stdout goes on behind what is there"
works "convert to a pipe" sh -c "'$weaksam' convert '$dir/weaktr.safetensors' -o /dev/stdout | cat >'$dir/piped.wsam'"
works "what came through the pipe is valid" "$weaksam" verify "$dir/piped.wsam"
refuses "/dev/full: No space left" "output to a full device" "$weaksam" encode -m "$mini" "$dir/card.png" -o /dev/full --threads 1
for command in kernels --help "run --help" "inspect $mini" "propose -m $mini $dir/pics --points-per-side 2 --no-masks --quiet"; do
    # shellcheck disable=SC2086 # words of a command
    timeout 60 "$weaksam" $command >/dev/full 2>"$dir/stderr"
    status=$?
    [ $status -eq 1 ] && grep -q "standard output: No space left on device" "$dir/stderr"
    verdict $? "full standard output: ${command%% *}"
done

# ---- full disks: a limit on the size of files stands for them ----
echo old >"$dir/keep.json"
mkdir "$dir/small"
cp "$dir/keep.json" "$dir/small/e"
sh -c "trap '' XFSZ; ulimit -f 1; exec '$weaksam' encode -m '$mini' '$dir/card.png' -o '$dir/small/e' --threads 1" >/dev/null 2>"$dir/stderr"
[ $? -eq 1 ] && cmp -s "$dir/keep.json" "$dir/small/e" && [ "$(ls -A "$dir/small")" = e ]
verdict $? "a file that gets too large: the old one stays, nothing else is left"
if [ "$(id -u)" != 0 ]; then
    mkdir "$dir/readonly" && chmod 555 "$dir/readonly"
    refuses "$dir/readonly/x: Permission denied" "a folder that cannot be written" "$weaksam" encode -m "$mini" "$dir/card.png" -o "$dir/readonly/x" --threads 1
else
    refuses "Read-only\|Permission\|No such\|not permitted" "a folder that cannot be written" "$weaksam" encode -m "$mini" "$dir/card.png" -o /proc/1/x --threads 1
fi

# ---- two processes at one state ----
"$weaksam" propose -m "$mini" "$dir/pics" --points-per-side 4 --no-masks -o "$dir/q.jsonl" --quiet
"$weaksam" train --stage features -m "$mini" --images "$dir/pics" "$dir/q.jsonl" -o "$dir/cache" --preset fast --quiet 2>/dev/null
printf 'image,class\na.png,x\n' >"$dir/l.csv"
mkdir "$dir/state"
flock "$dir/state/.lock" sleep 30 &
holder=$!
sleep 0.3
refuses "another process trains with this state" "train --state of another process" "$weaksam" train --stage mil --features "$dir/cache" --labels "$dir/l.csv" --images "$dir/pics" "$dir/q.jsonl" -o "$dir/h.wsam" --state "$dir/state" --preset fast --epochs 1 --quiet
kill "$holder" 2>/dev/null

# ---- a good result is not replaced by an empty one ----
mkdir "$dir/bad"
echo "no image" >"$dir/bad/a.png"
refuses "not written, as every image failed" "propose of bad images" "$weaksam" propose -m "$mini" "$dir/bad" -o "$dir/keep.json" --quiet
grep -q old "$dir/keep.json"
verdict $? "the result of before is there"
rm -rf "$dir"
