# What a person decided stays through every later stage: byte for byte, and nothing rejected comes back.
build=$1
dir=$build/tests/truth
rm -rf "$dir"
mkdir -p "$dir"
w=$build/weaksam

check() { # name, command...
    name=$1
    shift
    if "$@"; then echo "ok - $name"; else echo "not ok - $name"; fi
}
decided() { # file: its decided annotations, sorted
    grep '"reviewed"' "$1" | sed 's/,$//' | sort
}
# Boxes of machines within IoU 0.7 of a rejected one of the same image and class.
resurrected() { # file
    awk 'function number(name) { match($0, "\"" name "\": *[0-9]+"); s = substr($0, RSTART, RLENGTH); sub(/.*: */, "", s); return s }
        /"bbox"/ {
            n++; image[n] = number("image_id"); class[n] = number("category_id"); rejected[n] = /"reviewed": *"rejected"/
            machine[n] = !/"reviewed"/
            match($0, /"bbox": *\[[^]]*/); s = substr($0, RSTART, RLENGTH); sub(/.*\[/, "", s); split(s, b, / *, */)
            for (k = 1; k <= 4; k++) box[n, k] = b[k]
        }
        END {
            for (i = 1; i <= n; i++) for (j = 1; j <= n; j++) {
                if (!rejected[i] || !machine[j] || image[i] != image[j] || class[i] != class[j]) continue
                x0 = box[i,1] > box[j,1] ? box[i,1] : box[j,1]; x1 = box[i,1] + box[i,3]; if (box[j,1] + box[j,3] < x1) x1 = box[j,1] + box[j,3]
                y0 = box[i,2] > box[j,2] ? box[i,2] : box[j,2]; y1 = box[i,2] + box[i,4]; if (box[j,2] + box[j,4] < y1) y1 = box[j,2] + box[j,4]
                both = x1 > x0 && y1 > y0 ? (x1 - x0) * (y1 - y0) : 0
                if (both >= 0.7 * (box[i,3] * box[i,4] + box[j,3] * box[j,4] - both)) bad++
            }
            print bad + 0
        }' "$1"
}
kept() { # name, file
    decided "$2" >"$dir/now"
    check "$1: decisions are the bytes that were read" cmp -s "$dir/was" "$dir/now"
    check "... and nothing rejected is back" [ "$(resurrected "$2")" -eq 0 ]
}

segmenter=weights/demo/segmenter.wsam
clues=weights/demo/clues.wsam
"$build/demo/scenes" -o "$dir/set" --count 6 --seed 5 --size 192,144
run() { # options...
    "$w" run "$dir/set/images" --labels "$dir/set/labels.csv" -m $segmenter --clue-model $clues --clue-max-side 192 \
        --points-per-side 6 --keep 0 -o "$dir/run" "$@" 2>"$dir/said" >/dev/null
}
run
check "a first run" [ -s "$dir/run/masks.json" ]
"$build/tests/person" "$dir/run/masks.json" "$dir/set/instances.json" "$dir/by_person.json" 3 2
check "a person looks at five of six images" [ "$(decided "$dir/by_person.json" | wc -l)" -ge 8 ]
for word in accepted drawn rejected; do
    check "... who has $word some" grep -q "\"$word\"" "$dir/by_person.json"
done
decided "$dir/by_person.json" >"$dir/was"

run --reviewed "$dir/by_person.json"
check "run counts them" grep -q "by people: [1-9][0-9]* accepted, [1-9][0-9]* drawn, [1-9][0-9]* rejected; left out for them:" "$dir/said"
kept "run, masks.json" "$dir/run/masks.json"
kept "run, pgt.json" "$dir/run/pgt.json"
check "... and the images' states" [ "$(grep -c '"review":"complete","seconds": *9.5' "$dir/run/masks.json")" -eq 3 ]
cp "$dir/run/masks.json" "$dir/first.json"
run
check "... the same with the next run" cmp -s "$dir/first.json" "$dir/run/masks.json"
# Complete images have what the person left, nothing else.
check "complete images get nothing else" [ "$(grep -c '"image_id": *[123],' "$dir/run/masks.json")" -eq \
    "$(grep -c '"image_id": *[123],' "$dir/by_person.json")" ]

"$w" pgt "$dir/run/scores.json" --keep 0 --reviewed "$dir/by_person.json" -o "$dir/pgt.json" 2>"$dir/said"
kept "pgt" "$dir/pgt.json"
check "... counts what did not go out" grep -q "left out: [0-9]* of classes that the picture does not have, [0-9]* not chosen; by people" "$dir/said"
"$w" masks -m $segmenter "$dir/pgt.json" "$dir/set/images" -o "$dir/masks.json" 2>"$dir/said"
kept "masks" "$dir/masks.json"
check "... counts what did not go out" awk '
    { for (i = 1; i <= NF; i++) { if ($i == "boxes,") boxes = $(i-1); if ($i == "masks") masks = $(i-1)
        if ($i == "without") gone += $(i-1); if ($i == "below") gone += $(i-1); if ($i == "again,") gone += $(i-1)
        if ($i == "like") gone += $(i-1); if ($i == "on" && $(i+1) == "complete") gone += $(i-1) } }
    END { exit !(boxes > 0 && boxes == masks + gone) }' "$dir/said"
"$w" masks -m $segmenter "$dir/masks.json" "$dir/set/images" --redraw -o "$dir/again.json" --quiet
kept "masks --redraw" "$dir/again.json"
"$w" masks "$dir/masks.json" "$dir/set/images" -o "$dir/same.json" --quiet
check "masks that are there stay" cmp -s "$dir/masks.json" "$dir/same.json"
"$w" score --import "$dir/masks.json" -o "$dir/list.json" --quiet
kept "score --import" "$dir/list.json"
"$w" pgt "$dir/list.json" -o "$dir/pgt2.json" --quiet
kept "pgt of a results list" "$dir/pgt2.json"

# A corrected box and outline of another tool, which says nothing of `reviewed`.
printf '{"images":[{"id":1,"file_name":"000001.jpg","width":192,"height":144}],"categories":[{"id":3,"name":"nut"}],
"annotations":[{"id":7,"image_id":1,"category_id":3,"bbox":[20,30,40,50],"segmentation":[[20,30,60,30,60,80,20,80]]},
{"id":8,"image_id":1,"category_id":3,"bbox":[92,83,31,25]}]}' >"$dir/tool.json"
"$w" masks -m $segmenter "$dir/tool.json" "$dir/set/images" -o "$dir/tool_masks.json" 2>"$dir/said"
check "an outline that is there is not drawn over" [ "$(grep -c '"bbox":\[20,30,40,50\].*"id":7,.*"area":2000' "$dir/tool_masks.json")" -eq 1 ]
check "a person's box does not move" grep -q '"bbox":\[92,83,31,25\].*"id":8,.*"counts"' "$dir/tool_masks.json"

# Learning: the head's labels leave them alone, too.
"$w" run "$dir/set/images" --labels "$dir/set/labels.csv" -m $segmenter --clue-model $clues --clue-max-side 192 --points-per-side 6 \
    --keep 0 -o "$dir/learnt" --learn --preset fast --epochs 2 --reviewed "$dir/by_person.json" --quiet >/dev/null 2>"$dir/said"
for file in pgt boxes masks; do
    kept "run --learn, learn/$file.json" "$dir/learnt/learn/$file.json"
done
"$w" detect --head "$dir/learnt/learn/head.wsam" --features "$dir/learnt/learn/features" -m $segmenter --images "$dir/set/images" \
    "$dir/learnt/proposals.jsonl" --min-score 0 --masks --reviewed "$dir/by_person.json" -o "$dir/found.json" 2>"$dir/said"
kept "detect" "$dir/found.json"
check "... counts them" grep -q "by people: [1-9]" "$dir/said"
