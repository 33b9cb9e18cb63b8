# weaksam export, import, join: every format there and back through the command, and names that are not there.
build=$1
weaksam=$build/weaksam
dir=$build/tests/exchange
rm -rf "$dir"
mkdir -p "$dir"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - exchange: $2"; else echo "not ok - exchange: $2"; fi
}

"$build/demo/scenes" -o "$dir/set" --count 5 --seed 21 --size 320,240 >/dev/null
verdict $? "pictures"
for format in coco yolo voc labelme label-studio cvat; do
    "$weaksam" export "$dir/set/instances.json" --format $format -o "$dir/$format" 2>"$dir/log" &&
        "$weaksam" import "$dir/$format" --images "$dir/set/images" -o "$dir/$format.json" 2>>"$dir/log"
    verdict $? "$format there and back"
    grep -q " is $format: 5 images" "$dir/log"
    verdict $? "$format is recognised"
    # COCO's figures of what came back against what went out: everything is found, at every IoU
    "$weaksam" eval --gt "$dir/set/instances.json" --dt "$dir/$format.json" --kind segm --json >"$dir/eval" 2>>"$dir/log"
    grep -q '"AP": *1[,.}]' "$dir/eval"
    verdict $? "$format keeps every mask"
done

# What other readers insist on (make check-readers runs them).
[ "$(wc -l <"$dir/voc/labelmap.txt")" -eq 12 ] && grep -q '^screw:128,0,0::$' "$dir/voc/labelmap.txt"
verdict $? "voc names its classes and their colours"
grep -q '^    <task>$' "$dir/cvat/annotations.xml"
verdict $? "cvat has its labels in a task"

# Into a run's folder: decisions are joined, later ones win.
mkdir -p "$dir/out"
"$weaksam" import "$dir/cvat" --images "$dir/set/images" --into "$dir/out" --reviewed 2>"$dir/log" &&
    "$weaksam" import "$dir/yolo" --images "$dir/set/images" --into "$dir/out" --reviewed 2>>"$dir/log"
verdict $? "into a run's folder"
objects=$(grep -o '"category_id"' "$dir/set/instances.json" | wc -l)
[ "$(grep -o '"reviewed":"accepted"' "$dir/out/reviewed.json" | wc -l)" -eq "$objects" ]
verdict $? "the same objects twice are there once"

"$weaksam" join "$dir/coco.json" "$dir/voc.json" -o "$dir/joined.json" 2>"$dir/log"
verdict $? "join"
[ "$(grep -o '"category_id"' "$dir/joined.json" | wc -l)" -eq "$objects" ]
verdict $? "join finds duplicates"

# Images that are not there are counted and named; nothing of them left is an error.
mkdir -p "$dir/few"
cp "$dir/set/images/$(ls "$dir/set/images" | head -n 1)" "$dir/few"
"$weaksam" import "$dir/yolo" --images "$dir/few" -o "$dir/few.json" 2>"$dir/log"
verdict $? "some of the images"
grep -q '^4 images are not in the folder' "$dir/log"
verdict $? "the others are counted"
mkdir -p "$dir/none"
"$weaksam" import "$dir/yolo" --images "$dir/none" -o "$dir/none.json" 2>"$dir/log"
[ $? -eq 1 ] && [ ! -e "$dir/none.json" ] && [ "$(wc -l <"$dir/log")" -eq 1 ]
verdict $? "none of them is an error"
"$weaksam" export "$dir/set/instances.json" --format tfrecord -o "$dir/x" 2>"$dir/log"
[ $? -eq 2 ]
verdict $? "an unknown format is refused"
