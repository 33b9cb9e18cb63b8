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

# Our own export, whatever its format: what nobody touched stays the machine's.
sed 's/"iscrowd":0/"iscrowd":0,"score":0.5/' "$dir/set/instances.json" >"$dir/scored.json"
for format in coco yolo voc labelme label-studio cvat; do
    "$weaksam" export "$dir/scored.json" --format $format -o "$dir/scored_$format" 2>"$dir/log" &&
        "$weaksam" import "$dir/scored_$format" --images "$dir/set/images" -o "$dir/back.json" 2>>"$dir/log"
    [ $? -eq 0 ] && grep -q '"score":0.5' "$dir/back.json" && ! grep -q '"drawn"' "$dir/back.json"
    verdict $? "$format: what nobody touched is not drawn by a person"
done

# An export replaces an earlier one whole, and nothing of somebody else.
"$weaksam" export "$dir/set/instances.json" --format voc -o "$dir/again" 2>"$dir/log" &&
    "$weaksam" export "$dir/set/instances.json" --format yolo -o "$dir/again" 2>>"$dir/log"
[ $? -eq 0 ] && [ ! -e "$dir/again/Annotations" ] && [ -e "$dir/again/data.yaml" ]
verdict $? "an earlier export is replaced whole"
mkdir -p "$dir/mine"
echo mine >"$dir/mine/data.yaml"
"$weaksam" export "$dir/set/instances.json" --format yolo -o "$dir/mine" 2>"$dir/log"
[ $? -eq 1 ] && grep -q "not of an export ('data.yaml' is one)" "$dir/log" && [ "$(cat "$dir/mine/data.yaml")" = mine ]
verdict $? "a folder of somebody else is refused"
cp -r "$dir/set/images" "$dir/beside"
"$weaksam" export "$dir/set/instances.json" --format labelme -o "$dir/beside" 2>"$dir/log"
verdict $? "images may lie there"
for command in "export-onnx weights/demo/segmenter.wsam" "export $dir/set/instances.json --format yolo"; do
    "$weaksam" $command -o - 2>"$dir/log"
    [ $? -eq 1 ] && grep -q "standard output" "$dir/log" && [ ! -e ./- ]
    verdict $? "${command%% *}: a folder cannot be standard output"
done
for box in 1e308 -1e9; do
    sed "s/\"bbox\":\[[^,]*,/\"bbox\":[$box,/" "$dir/set/instances.json" >"$dir/far.json"
    for command in "join $dir/far.json $dir/coco.json -o $dir/x.json" "export $dir/far.json --format yolo -o $dir/x" \
        "report $dir/far.json $dir/set/images -o $dir/x.html" "eval --gt $dir/far.json --dt $dir/coco.json" \
        "import $dir/far.json --images $dir/set/images -o $dir/x.json"; do
        "$weaksam" $command >"$dir/out_of_it" 2>"$dir/log"
        [ $? -eq 1 ] && grep -q "far outside of any image" "$dir/log"
        verdict $? "${command%% *}: a box at $box is refused"
    done
done
# Two images or two classes of one id: which of them an object belongs to is not known.
sed 's/^{"id":1,"file_name"/{"id":2,"file_name"/' "$dir/set/instances.json" >"$dir/ids.json"
sed 's/"categories":\[{"id":1,/"categories":[{"id":2,/' "$dir/set/instances.json" >"$dir/class_ids.json"
for list in images:ids categories:class_ids; do
    file=$dir/${list#*:}.json
    for command in "join $file $dir/coco.json -o $dir/x.json" "export $file --format yolo -o $dir/x" \
        "report $file $dir/set/images -o $dir/x.html" "eval --gt $file --dt $dir/coco.json" \
        "eval --gt $dir/coco.json --dt $file" "import $file --images $dir/set/images -o $dir/x.json" \
        "masks $file $dir/set/images -m weights/demo/segmenter.wsam -o $dir/x.json"; do
        "$weaksam" $command >"$dir/out_of_it" 2>"$dir/log"
        [ $? -eq 1 ] && grep -q "${list%:*}\[1\] has the id of ${list%:*}\[0\]" "$dir/log"
        verdict $? "${command%% *}: two ${list%:*} of one id are refused"
    done
done

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
