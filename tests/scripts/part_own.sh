# Classes that no network knows: labels of pictures in, masks and a judgement out; killed, in shards, refused.
# KILLS (3): how often a run is killed before it may end.
build=$1
dir=$build/tests/own
rm -rf "$dir"
mkdir -p "$dir"
w=$build/weaksam
model=weights/demo/segmenter.wsam

check() { # name, command...
    name=$1
    shift
    if "$@"; then echo "ok - $name"; else echo "not ok - $name"; fi
}
run() { # out, labels, options...
    out=$1 labels=$2
    shift 2
    "$w" run "$dir/set/images" --labels "$labels" -m "$model" --points-per-side 5 -o "$out" --log-interval 0 "$@"
}
says() { # status, text, command...
    want=$1 text=$2
    shift 2
    "$@" >/dev/null 2>"$dir/said"
    got=$?
    [ $got -eq "$want" ] && grep -q "$text" "$dir/said" || { sed "s/^/# $got: /" "$dir/said"; false; }
}
same() { # two folders: every file that a run ends with
    for file in final.json masks.json pgt.json points.jsonl proposals.jsonl clues/clues.wsam clues/clues.judgement.json report.html; do
        cmp -s "$1/$file" "$2/$file" || { echo "# $file differs"; return 1; }
    done
}

"$build/demo/scenes" -o "$dir/set" --count 14 --seed 5 --size 240,200
# two classes under names of our own; the picture without any is a negative
sed -e 's/gear/zahnrad/g; s/nut/mutter/g' "$dir/set/labels.csv" >"$dir/labels.csv"

began=$(date +%s)
run "$dir/whole" "$dir/labels.csv" >"$dir/stdout" 2>"$dir/stderr"
check "a run with unknown classes ends well" [ $? -eq 0 ]
span=$(($(date +%s) - began + 1))
check "it says that it learns" grep -q 'learning [0-9]* classes from' "$dir/stderr"
check "it judges every class" grep -q '^  zahnrad .*' "$dir/stderr"
check "few images are named as the reason" grep -q 'too few images' "$dir/stderr"
check "the last line names the result" sh -c "tail -n 1 '$dir/stdout' | grep -q '\"final\":\"$dir/whole/final.json\"}$'"
check "the result is a COCO data set with masks" "$w" eval --gt "$dir/whole/final.json" --dt "$dir/whole/final.json" --kind segm --json --quiet
check "the page begins with the judgement" grep -q 'How well the classes are told apart' "$dir/whole/report.html"
check "clues are a file like any other" "$w" run "$dir/set/images" --labels "$dir/labels.csv" -m "$model" --points-per-side 5 \
    --clue-model "$dir/whole/clues/clues.wsam" -o "$dir/again" --quiet
check "and give the same again" cmp "$dir/whole/final.json" "$dir/again/final.json"
mkdir -p "$dir/kept/clues"
check "... from regions that are kept, for the next" "$w" run "$dir/set/images" --labels "$dir/labels.csv" -m "$model" --points-per-side 5 \
    --clue-model "$dir/whole/clues/clues.wsam" -o "$dir/kept" --quiet
check "... the same" cmp "$dir/whole/final.json" "$dir/kept/final.json"
check "... and kept" sh -c "ls '$dir'/kept/clues/*.regions >/dev/null"

# A detection head on top: it looks at the segmenter's maps, or at those of a clue network for other classes.
cp -r "$dir/whole" "$dir/learnt"
check "learning goes on from there" says 0 'masks.json' "$w" run "$dir/set/images" --labels "$dir/labels.csv" -m "$model" \
    --points-per-side 5 -o "$dir/learnt" --learn --preset fast --epochs 3
check "and ends with masks" [ -s "$dir/learnt/learn/masks.json" ]
check "... with the patches of a network for other classes" says 0 'masks.json' "$w" run "$dir/set/images" --labels "$dir/labels.csv" \
    -m "$model" --points-per-side 5 --clue-model weights/demo/clues.wsam --clue-max-side 128 -o "$dir/foreign" --learn --preset fast --epochs 3

# A plan writes nothing, whatever would have to be learnt.
cp -r "$dir/whole" "$dir/planned"
sed '3s/$/,new/' "$dir/labels.csv" >"$dir/more.csv"
(cd "$dir/planned" && find . -type f -exec cksum {} + | sort) >"$dir/planned.before"
check "a plan says what would be learnt" says 0 'would be learnt' "$w" run "$dir/set/images" --labels "$dir/more.csv" -m "$model" \
    --points-per-side 5 -o "$dir/planned" --plan
(cd "$dir/planned" && find . -type f -exec cksum {} + | sort) >"$dir/planned.after"
check "and writes nothing" cmp "$dir/planned.before" "$dir/planned.after"

check "a threshold alone leaves the method as it is" says 0 '14 images: 14 are done' run "$dir/whole" "$dir/labels.csv" --keep 0.05 --plan

# pictures that come between others: what was found before stays with its picture
head -n 8 "$dir/labels.csv" >"$dir/some.csv"
sed 2d "$dir/some.csv" >"$dir/fewer.csv"
run "$dir/grown" "$dir/fewer.csv" --quiet >/dev/null 2>&1
run "$dir/grown" "$dir/some.csv" --relearn --quiet >/dev/null 2>&1
run "$dir/at-once" "$dir/some.csv" --quiet >/dev/null 2>&1
check "crops of the image find more" sh -c "'$w' propose -m '$model' '$dir/set/images' --points-per-side 4 -o '$dir/whole.jsonl' --quiet &&
    '$w' propose -m '$model' '$dir/set/images' --points-per-side 4 --crop-n-layers 1 -o '$dir/crops.jsonl' --quiet &&
    [ \$(grep -o '\"box\"' '$dir/crops.jsonl' | wc -l) -gt \$(grep -o '\"box\"' '$dir/whole.jsonl' | wc -l) ]"
# Masks that crops showed go through the files of the stages, too.
crops() { "$w" "$@" --quiet >/dev/null 2>"$dir/stderr" || { sed 's/^/# /' "$dir/stderr"; false; }; }
# score numbers classes as it meets them, and ninth digits depend on whether scores came through a file
annotations() { grep '"bbox"' "$1" | sed 's/,$//; s/"category_id":[0-9]*,//; s/,"id":[0-9]*//; s/"score":[^,]*,//; s/,"confidence":[^,}]*//' | sort; }
grid="--points-per-side 4 --crop-n-layers 1 --box-nms-thresh 0.5"
head -n 5 "$dir/set/labels.csv" >"$dir/four.csv"
mkdir -p "$dir/four" "$dir/stages"
for image in 000001 000002 000003 000004; do cp "$dir/set/images/$image.jpg" "$dir/four"; done
# shellcheck disable=SC2086
crops run "$dir/four" --labels "$dir/four.csv" -m "$model" --clue-model weights/demo/clues.wsam --clue-max-side 192 $grid --keep 0 -o "$dir/stages/run" &&
    crops clues -m weights/demo/clues.wsam "$dir/four" --labels "$dir/four.csv" --clue-max-side 192 --maps "$dir/stages/maps" -o "$dir/points.jsonl" &&
    crops propose -m "$model" "$dir/four" --points "$dir/points.jsonl" $grid -o "$dir/proposals.jsonl" &&
    crops score "$dir/proposals.jsonl" --maps "$dir/stages/maps" -o "$dir/stages/scores.json" &&
    crops pgt "$dir/stages/scores.json" --keep 0 -o "$dir/stages/pgt.json" &&
    crops masks -m "$model" "$dir/stages/pgt.json" "$dir/four" -o "$dir/stages/masks.json"
check "a run with crops, and its stages one by one" [ $? -eq 0 ]
grep -q '"crop_mask"' "$dir/stages/pgt.json"
check "masks of crops are in the labels" [ $? -eq 0 ]
for file in pgt masks; do
    annotations "$dir/stages/run/$file.json" >"$dir/want"
    annotations "$dir/stages/$file.json" >"$dir/got"
    check "... $file.json is the same" cmp "$dir/want" "$dir/got"
done
check "a grown run with --relearn ends with the same" same "$dir/grown" "$dir/at-once"

# What was learnt stays as images come and go and labels change; what was done stays done.
cp -r "$dir/set/images" "$dir/photos"
cp -r "$dir/whole" "$dir/more"
cp "$dir/photos/000001.jpg" "$dir/photos/000099.jpg"
sed -n 's/^000001/000099/p' "$dir/labels.csv" | cat "$dir/labels.csv" - >"$dir/99.csv"
more() { # labels, options...
    labels=$1
    shift
    "$w" run "$dir/photos" --labels "$labels" -m "$model" --points-per-side 5 -o "$dir/more" --log-interval 0 "$@"
}
described() { find "$dir/more/clues" -name '*.regions' -newer "$dir/stamp" | wc -l; }
learnt_before() { cmp -s "$dir/whole/clues/clues.wsam" "$dir/more/clues/clues.wsam"; }
check "a plan says that clues stay" says 0 'clues stay as they were learnt' more "$dir/99.csv" --plan
check "and what is left to do" grep -q '15 images: 14 are done, 1 is new$' "$dir/said"
cp -r "$dir/more" "$dir/more-shards"
touch "$dir/stamp"
check "an image more is all that is done" says 0 '15 images: 14 are done, 1 is new$' more "$dir/99.csv"
check "with the clues of before" learnt_before
check "one image was described" [ "$(described)" -eq 1 ]
for shard in 0 1; do
    "$w" run "$dir/photos" --labels "$dir/99.csv" -m "$model" --points-per-side 5 -o "$dir/more-shards" --shard $shard/2 --quiet >/dev/null 2>&1 &
    eval "pid$shard=\$!"
done
wait "$pid0" && wait "$pid1" && "$w" merge "$dir/more-shards" --quiet
check "two shards end with the same" cmp "$dir/more/masks.json" "$dir/more-shards/masks.json"
touch "$dir/stamp"
sed 's/^000099.jpg.*/000099.jpg,/' "$dir/99.csv" >"$dir/other.csv"
check "another label is all that is done" says 0 '15 images: 14 are done, 1 has other labels$' more "$dir/other.csv"
check "with the clues of before" learnt_before
rm "$dir/photos/000099.jpg"
check "an image that goes takes its own results alone" says 0 '14 images: 14 are done, 1 is gone$' more "$dir/labels.csv"
check "with the clues of before" learnt_before
check "no image was described" [ "$(described)" -eq 0 ]
check "and the results of before" cmp "$dir/whole/final.json" "$dir/more/final.json"
check "a new class is learnt" says 0 "'new' is a new class: clues are learnt again" more "$dir/more.csv"
check "from regions that are there" sh -c "grep -q new '$dir/more/clues/learnt' && [ $(described) -eq 0 ]"
sed -i '1s/^..../beef/' "$dir/more/clues/learnt"
check "nobody knows how clues were learnt: again" says 0 'clues/learnt.*is missing or damaged: they are learnt again' more "$dir/labels.csv"
check "they are those of before then" learnt_before
rm "$dir/more/clues/clues.wsam"
check "clues that are not there are learnt, whatever the file says" says 0 'learning [0-9]* classes from 14 images' more "$dir/labels.csv"
check "with other options all is done again" says 0 'other options or models: clues are learnt again' more "$dir/labels.csv" --points-per-side 4

i=0 met=0
while [ $i -lt "${KILLS:-3}" ]; do
    i=$((i + 1))
    # not by the function: the shell in between would be killed
    "$w" run "$dir/set/images" --labels "$dir/labels.csv" -m "$model" --points-per-side 5 -o "$dir/killed" --quiet >/dev/null 2>&1 &
    pid=$!
    sleep "$(awk -v i=$i -v n="${KILLS:-3}" -v s="$span" 'BEGIN { srand(i); print s * rand() / (n < 12 ? n : 12) }')"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    [ $? -ne 137 ] || met=$((met + 1))
done
echo "# $met of $i kills met a run at work"
run "$dir/killed" "$dir/labels.csv" --quiet >/dev/null 2>&1
check "a run that was killed ends with the same" same "$dir/whole" "$dir/killed"

run "$dir/threads" "$dir/labels.csv" --quiet --threads 3 >/dev/null 2>&1
check "so does one with three threads" same "$dir/whole" "$dir/threads"
for shard in 0 1; do
    run "$dir/shards" "$dir/labels.csv" --shard $shard/2 --quiet >/dev/null 2>"$dir/stderr.$shard" &
    eval "pid$shard=\$!"
done
wait "$pid0" && wait "$pid1"
"$w" merge "$dir/shards" --quiet
# The same as a chain of jobs: regions in shards, the clues on one machine, the stages in shards, the files.
run "$dir/chain" "$dir/labels.csv" --shard 1/2 --clues-only --quiet &&
    run "$dir/chain" "$dir/labels.csv" --shard 0/2 --clues-only --quiet && [ ! -e "$dir/chain/clues/clues.wsam" ]
check "shards that only describe their images learn nothing" [ $? -eq 0 ]
run "$dir/chain" "$dir/labels.csv" --clues-only --quiet && [ ! -e "$dir/chain/masks.json" ] && [ -s "$dir/chain/clues/clues.wsam" ]
check "one process learns behind them" [ $? -eq 0 ]
run "$dir/chain" "$dir/labels.csv" --shard 0/2 --no-merge --quiet >/dev/null && run "$dir/chain" "$dir/labels.csv" --shard 1/2 --no-merge --quiet >/dev/null &&
    run "$dir/chain" "$dir/labels.csv" --prepared --quiet >/dev/null && same "$dir/whole" "$dir/chain"
check "and the chain gives the same files" [ $? -eq 0 ]
check "and two shards" cmp "$dir/whole/masks.json" "$dir/shards/masks.json"
# Leases of shards that describe their images, and of the process that learns: a machine that is silent, and one at work.
mkdir -p "$dir/leased/clues/state"
echo 'far:0000abcd-1:77:abc:1 12 -' >"$dir/leased/clues/state/0-of-2.lease"
(
    while sleep 0.1; do
        n=$((n + 1))
        echo "far:0000abcd-1:77:abc:1 $n -" >"$dir/lease" && mv "$dir/lease" "$dir/leased/clues/state/1-of-2.lease"
    done
) &
far=$!
sleep 0.3
check "a shard that another describes is left alone" says 75 'another process works on this shard (on far)' run "$dir/leased" "$dir/labels.csv" \
    --shard 1/2 --clues-only --lease-seconds 4
kill $far
wait $far 2>/dev/null
rm -f "$dir/leased/clues/state/1-of-2.lease"
for shard in 0 1; do
    check "... a silent one is replaced, and a free one taken ($shard)" run "$dir/leased" "$dir/labels.csv" --shard $shard/2 --clues-only --steal \
        --lease-seconds 2 --quiet
done
echo 'far:0000abcd-1:77:abc:1 12 -' >"$dir/leased/clues/lease"
check "... who learns and is silent is replaced" run "$dir/leased" "$dir/labels.csv" --clues-only --lease-seconds 2 --quiet
check "... and the clues are the same" cmp "$dir/whole/clues/clues.wsam" "$dir/leased/clues/clues.wsam"

"$w" train --stage clues --images "$dir/set/images" --labels "$dir/labels.csv" -m "$model" --points-per-side 5 --keep-holdout \
    --sources shape,look -o "$dir/trained.wsam" --quiet
check "train --stage clues writes a clue file" sh -c "'$w' inspect '$dir/trained.wsam' | grep -q zahnrad"
check "the clues command says what takes it" says 1 'weaksam run' "$w" clues -m "$dir/trained.wsam" "$dir/set/images"
check "that a run takes" "$w" run "$dir/set/images" --labels "$dir/labels.csv" -m "$model" --points-per-side 5 \
    --clue-model "$dir/trained.wsam" -o "$dir/by-trained" --quiet

# a clue network on a backbone's tokens: a file like any other
"$w" twin deit_tiny -o "$dir/deit.safetensors" && "$w" convert "$dir/deit.safetensors" -o "$dir/deit.wsam" --type int8
tokens() { # out, options...
    out=$1
    shift
    "$w" train --stage clues --head tokens --images "$dir/set/images" --labels "$dir/labels.csv" --backbone "$dir/deit.wsam" \
        --clue-max-side 64 --epochs 8 -o "$out" --quiet "$@"
}
tokens "$dir/tokens.wsam" --threads 1
check "a head on a backbone's tokens" [ -s "$dir/tokens.judgement.txt" -a -s "$dir/tokens.curve.jsonl" ]
began=$(date +%s%N)
tokens "$dir/tokens2.wsam" --threads 3
span=$((($(date +%s%N) - began) / 1000000))
check "the same with three threads" cmp "$dir/tokens.wsam" "$dir/tokens2.wsam"
i=0 met=0
for share in 3 6 9; do
    i=$((i + 1))
    "$w" train --stage clues --head tokens --images "$dir/set/images" --labels "$dir/labels.csv" --backbone "$dir/deit.wsam" \
        --clue-max-side 64 --epochs 8 -o "$dir/tokens3.wsam" --quiet &
    pid=$!
    sleep "$(awk -v s=$share -v t=$span 'BEGIN { print s * t / 10000 }')"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    [ $? -ne 137 ] || met=$((met + 1))
done
echo "# $met of $i kills met a run at work"
tokens "$dir/tokens3.wsam"
check "and after kills" cmp "$dir/tokens.wsam" "$dir/tokens3.wsam"
check "with the same curves" cmp "$dir/tokens.curve.jsonl" "$dir/tokens3.curve.jsonl"
check "the clues command takes it" "$w" clues -m "$dir/tokens.wsam" "$dir/set/images" --labels "$dir/labels.csv" -o "$dir/points.jsonl" --quiet
check "so does propose" "$w" propose -m "$model" --points "$dir/points.jsonl" --points-per-side 4 "$dir/set/images" -o "$dir/proposals.jsonl" --quiet
check "and a run" "$w" run "$dir/set/images" --labels "$dir/labels.csv" -m "$model" --points-per-side 4 --clue-model "$dir/tokens.wsam" \
    -o "$dir/by-tokens" --quiet
check "and a feature cache" "$w" train --stage features --clue-model "$dir/tokens.wsam" --images "$dir/set/images" "$dir/proposals.jsonl" \
    -o "$dir/cache" --quiet
check "verify finds nothing wrong with it" "$w" verify "$dir/tokens.wsam"
check "other heads are not learnt on it" says 1 'clues that were learnt' "$w" train --stage clues --head tokens --images "$dir/set/images" \
    --labels "$dir/labels.csv" --backbone "$dir/tokens.wsam" --clue-max-side 64 --epochs 1 -o "$dir/twice.wsam" --quiet
"$w" train --stage clues --head tokens --images "$dir/set/images" --labels "$dir/labels.csv" -m "$model" --epochs 2 -o "$dir/sam-tokens.wsam" --quiet
check "a head on the segmenter's embedding" "$w" clues -m "$dir/sam-tokens.wsam" "$dir/set/images/000001.jpg" -o "$dir/sam-points.jsonl" --quiet

printf 'image,class\n000001.jpg,x\n' >"$dir/one.csv"
check "a class with one image ends well" run "$dir/one" "$dir/one.csv" --quiet
printf 'image,class\n000001.jpg,x\n000002.jpg,x\n000003.jpg,x\n' >"$dir/every.csv"
run "$dir/every" "$dir/every.csv" >/dev/null 2>"$dir/stderr"
check "a class in every image is no failure" [ $? -eq 0 ]
check "but said" grep -q 'in every image' "$dir/stderr"
printf 'image,class\n000001.jpg\n000002.jpg\n' >"$dir/none.csv"
check "labels without a class" says 65 'no classes' run "$dir/none" "$dir/none.csv"
printf 'image,class\nghost.jpg,x\n' >"$dir/ghost.csv"
check "labels of images that are not there" says 65 'ghost.jpg' run "$dir/ghost" "$dir/ghost.csv"
check "a backbone of the wrong kind" says 65 'no clue network' run "$dir/wrong" "$dir/labels.csv" --backbone "$model"
check "nothing half-written" [ ! -e "$dir/wrong/final.json" ]
mkdir -p "$dir/plain"
for i in 1 2 3 4; do # 96 x 80, one colour
    echo 'iVBORw0KGgoAAAANSUhEUgAAAGAAAABQCAIAAABpgOfCAAAAfElEQVR42u3QMQEAMAgAoLlcJjGJ8U3g7QMRiOp87L4CQYIECRIkSJAgBAkSJEiQIEGCECRIkCBBggQJQpAgQYIECRIkSBCCBAkSJEiQIEEIEiRIkCBBggQhSJAgQYIECRIkCEGCBAkSJEiQIAQJEiRIkCBBghAkSJCgWwPY5wGuQ3M5qgAAAABJRU5ErkJggg==' |
        base64 -d >"$dir/plain/$i.png"
done
printf 'image,class\n1.png,x\n2.png,x\n3.png,y\n4.png,\n' >"$dir/plain.csv"
"$w" run "$dir/plain" --labels "$dir/plain.csv" -m "$model" --points-per-side 4 -o "$dir/flat" --log-interval 0 >/dev/null 2>"$dir/said"
status=$?
check "images of one colour: masks, or one line that says why there are none" \
    [ $status -eq 0 -a -s "$dir/flat/final.json" -o $status -ne 0 -a "$(grep -c 'no region in any' "$dir/said")" -eq 1 ]
"$w" train --stage clues --head tokens --images "$dir/plain" --labels "$dir/plain.csv" --backbone "$dir/deit.wsam" --clue-max-side 64 \
    --epochs 2 -o "$dir/flat.wsam" --quiet
check "tokens of images of one colour are numbers" [ -s "$dir/flat.wsam" ]
check "a head on no backbone" says 1 'none of them' "$w" train --stage clues --head tokens --images "$dir/plain" --labels "$dir/plain.csv" \
    --backbone "$dir/one/clues/clues.wsam" -o "$dir/none.wsam" --quiet
rm -rf "$dir"
