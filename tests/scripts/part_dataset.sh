# A folder through all stages as a user meets it: killed and resumed, in shards, stopped by a signal;
# labels that do not fit; and the page for people.
build=$1
weaksam=$build/weaksam
dir=$build/tests/dataset
rm -rf "$dir"
mkdir -p "$dir/pictures" "$dir/empty"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

ends() { # status, words on stderr, name, command...
    want=$1 words=$2 name=$3
    shift 3
    "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq "$want" ] && grep -q -e "$words" "$dir/stderr"
    good=$?
    [ $good -eq 0 ] || { echo "# status $status"; sed 's/^/# /' "$dir/stderr"; }
    verdict $good "$name"
}

for model in weaktr_mini sam_vit_mini; do
    "$weaksam" twin $model -o "$dir/$model.safetensors" &&
        "$weaksam" convert "$dir/$model.safetensors" -o "$dir/$model.wsam" >/dev/null
done
echo image,class >"$dir/labels.csv"
i=0
while [ $i -lt 12 ]; do
    "$weaksam" draw --size $((96 + 8 * i)),80 -o "$dir/pictures/$i.png"
    echo "$i.png,class $((i % 3)),class 7" >>"$dir/labels.csv"
    i=$((i + 1))
done
echo 'no picture' >"$dir/pictures/bad.png"
echo 'bad.png,class 1' >>"$dir/labels.csv"

run() { # output, options...
    out=$1
    shift
    "$weaksam" run "$dir/pictures" --labels "$dir/labels.csv" -m "$dir/sam_vit_mini.wsam" \
        --clue-model "$dir/weaktr_mini.wsam" -o "$out" --points-per-side 4 "$@"
}

same() { # folder
    for file in points.jsonl proposals.jsonl scores.json images.json pgt.json masks.json failures.jsonl; do
        cmp "$dir/whole/$file" "$1/$file" || return 1
    done
    [ -z "$(find "$1" -name '*.tmp')" ]
}

began=$(cut -d' ' -f1 /proc/uptime)
ends 1 '13 images, 1 failed' 'a run reports a bad image and goes on' run "$dir/whole"
took=$(cut -d' ' -f1 /proc/uptime | awk -v began="$began" '{ print $1 - began + 0.01 }')
grep -q '"image":"bad.png","stage":"load","error":".*neither PNG nor JPEG, WebP or TIFF"' "$dir/whole/failures.jsonl" &&
    [ "$(wc -l <"$dir/whole/points.jsonl")" -eq 12 ] && [ "$(wc -l <"$dir/whole/proposals.jsonl")" -eq 12 ]
verdict $? 'every other picture is in the files'

ends 0 '13 images, 1 failed' 'failed images may be left out of the exit status' \
    run "$dir/whole" --exit-zero-on-failed-images

ends 1 'weaksam run: bad.png (load): .*neither PNG nor JPEG' 'a failure is a line when it happens' \
    run "$dir/whole" --retry-failed --log-interval 0.000001
grep -q '^weaksam run: [0-9]* of 13 images, [01] failed' "$dir/stderr"
verdict $? 'progress in a log is plain lines'

# Ten kills at moments drawn at random from the time that a whole run takes; a run that came to its
# end is started again without half of its journal. SEED=N repeats them.
seed=${SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
echo "# kills drawn from seed $seed"
kills=0
for moment in $(awk -v seed="$seed" -v took="$took" 'BEGIN { srand(seed); for (i = 0; i < 10; i++) printf "%.3f ", 0.8 * took * rand() }'); do
    "$weaksam" run "$dir/pictures" --labels "$dir/labels.csv" -m "$dir/sam_vit_mini.wsam" \
        --clue-model "$dir/weaktr_mini.wsam" -o "$dir/killed" --points-per-side 4 \
        >/dev/null 2>&1 &
    pid=$!
    sleep "$moment"
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    [ $? -eq 137 ] && kills=$((kills + 1))
    journal=$dir/killed/state/0-of-1.journal
    if [ -s "$journal" ]; then
        size=$(wc -c <"$journal")
        [ -e "$dir/killed/failures.jsonl" ] && truncate -s $((size / 2)) "$journal"
    fi
done
[ $kills -ge 3 ]
verdict $? "$kills of ten kills hit a run at work"
# What a kill between making a file and naming it leaves.
mkdir -p "$dir/killed/state" "$dir/killed/.status"
touch "$dir/killed/points.jsonl.7-0.tmp" "$dir/killed/state/manifest.jsonl.7-1.tmp" "$dir/killed/.status/0-of-1.json.7-2.tmp"
ends 1 '13 images, 1 failed' "resumed after $kills kills" run "$dir/killed" --threads 1
same "$dir/killed"
verdict $? 'killed and resumed: the same files, byte for byte'

ends 0 '9 of 13 images are not done yet' 'the first shard of three' run "$dir/shards" --shard 2/3
ends 75 '9 of 13' 'merge waits for all shards' "$weaksam" merge "$dir/shards"
[ "$(grep -c '^weaksam merge: .*: not done yet$' "$dir/stderr")" -eq 9 ] &&
    grep -q '^weaksam merge: bad.png: not done yet$' "$dir/stderr"
verdict $? 'and names what is missing'
PARALLEL_SEQ=1 ends 1 'run: shard 0/3: 4 of 13' 'a shard by the environment, with a failed image' run "$dir/shards" --shard auto/3
PARALLEL_SEQ=1 ends 0 'by PARALLEL_SEQ' 'which does not count, where that is asked for' \
    run "$dir/shards" --shard auto/3 --exit-zero-on-failed-images
status_file=$dir/shards/.status/0-of-3.json
grep -q '^{"done":5,"skipped":5,"failed":1,"total":5,"given":0,"stolen":0,"state":"done","seconds_per_image":0.000,"fresh":0,.*,"host":".*","pid":[0-9]*,"started":[0-9]*}$' "$status_file" &&
    tail -n 1 "$dir/stdout" | cmp - "$status_file"
verdict $? 'the state of a shard: a file, and the last line of the output'
ends 1 '13 images' 'the last shard' run "$dir/shards" --shard 1/3 --workers 3
ends 1 '^weaksam merge: bad.png (load): .*neither PNG' 'merge names what failed' "$weaksam" merge "$dir/shards"
same "$dir/shards"
verdict $? 'shards give the same files'

# A hundred shards, of which thirteen have a picture; the last one here has none.
i=0
while [ $i -lt 14 ]; do
    run "$dir/hundred" --shard $i/100 --quiet --threads 1 --exit-zero-on-failed-images >/dev/null 2>&1
    i=$((i + 1))
done
ends 1 '13 images, 1 failed' 'a hundred shards' "$weaksam" merge "$dir/hundred"
same "$dir/hundred"
verdict $? 'give the same files, too'

ends 64 'no such shard' 'a shard that is not there' run "$dir/x" --shard 3/3
ends 64 'no task number' 'no number in the environment' run "$dir/x" --shard auto/3
ends 64 'no option' 'an unknown option of run' run "$dir/x" --no-such-option
ends 64 'expected a folder' 'run without its arguments' "$weaksam" run "$dir/pictures"
ends 64 'expected the folder of a run' 'merge without its argument' "$weaksam" merge
ends 66 'No such file' 'merge where no run is' "$weaksam" merge "$dir/empty"
plans() { # text, name, options...
    text=$1 what=$2
    shift 2
    ends 0 "$text" "$what" run "$dir/whole" --plan "$@"
}
plans '13 images: 13 are done, 1 failed' 'a plan where all is done'
plans "1 is done, 12 want pseudo labels and masks alone.*'method' is \"adaptive\" there and \"top1\" here" 'other pseudo labels' --method top1
plans "13 were done with other options or models.*'level' is .* there and \"c\" here" 'another instruction set level' --isa c
plans "'coarse' is" 'options of the points are part of it' --point-coarse-window 9
plans "'cross_iou' is" 'and of the proposals' --cross-iou 0.8
plans "'quality' is" 'and of the scores' --score-quality 2
grep -q '"keep":0.3,"contained":0.85' "$dir/whole/pgt.json"
verdict $? 'the files say what they were made with'

# What goes wrong on the way to the final files.
cp -r "$dir/whole" "$dir/broken"
rm "$dir/broken/masks.json"
mkdir "$dir/broken/masks.json"
ends 74 'masks.json: is a directory' 'merge that cannot write' "$weaksam" merge "$dir/broken"
[ -z "$(find "$dir/broken" -name '*.tmp')" ] && [ -s "$dir/broken/pgt.json" ]
verdict $? 'leaves the other files'
sed -i '1s/"config":{/"config":[/' "$dir/broken/state/manifest.jsonl"
ends 65 'manifest.jsonl:1' 'a damaged manifest' "$weaksam" merge "$dir/broken"
ends 65 'manifest.jsonl:1' 'and a run that finds it' run "$dir/broken"

# A disk that is full in the middle of the work: a file may not grow beyond 8 kB (16 of the shell's blocks; the journal gets 37).
(
    ulimit -f 16
    trap '' XFSZ
    run "$dir/full" >"$dir/stdout" 2>"$dir/stderr"
)
[ $? -eq 74 ] && grep -q 'File too large' "$dir/stderr" && [ ! -e "$dir/full/masks.json" ] &&
    [ -s "$dir/full/state/0-of-1.journal" ] && [ -z "$(find "$dir/full" -maxdepth 1 -name '*.tmp')" ]
verdict $? 'a full disk ends with 74 and leaves no partial file'
ends 1 '13 images, 1 failed' 'with room again it goes on' run "$dir/full"
same "$dir/full"
verdict $? 'to the same files'

"$weaksam" run "$dir/pictures" --labels "$dir/labels.csv" -m "$dir/sam_vit_mini.wsam" \
    --clue-model "$dir/weaktr_mini.wsam" -o "$dir/stopped" --threads 1 >/dev/null 2>"$dir/stderr" &
pid=$!
while [ ! -s "$dir/stopped/state/0-of-1.journal" ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -TERM $pid
wait $pid
[ $? -eq 75 ] && grep -q 'stopped with' "$dir/stderr"
verdict $? 'SIGTERM ends with status 75 after the image at work'

ends 75 'stopped with' 'a time limit ends with status 75, too' run "$dir/limited" --max-seconds 0.001 --threads 1
ends 75 'stopped with' 'what takes longer than the grace is given up' \
    run "$dir/abandoned" --max-seconds 0.001 --grace 0 --threads 1 --points-per-side 64
[ "$(wc -c <"$dir/abandoned/state/0-of-1.journal")" -eq 0 ]
verdict $? 'and leaves no record'

# SIGTERM in the middle of a long picture: over when the grace is, give or take a loaded machine.
"$weaksam" run "$dir/pictures" --labels "$dir/labels.csv" -m "$dir/sam_vit_mini.wsam" --clue-model "$dir/weaktr_mini.wsam" \
    -o "$dir/grace" --threads 1 --points-per-side 1000 --grace 0.5 >/dev/null 2>"$dir/stderr" &
pid=$!
while [ ! -s "$dir/grace/.status/0-of-1.json" ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
sleep 0.3
before=$(date +%s)
kill -TERM $pid
wait $pid
[ $? -eq 75 ] && [ $(($(date +%s) - before)) -le 10 ]
verdict $? 'SIGTERM ends within the grace'

ends 66 'gone.csv: No such file' 'labels that are not there' run "$dir/refused" --labels "$dir/gone.csv"
ends 65 'not a weaksam weight file' 'a model that is none' run "$dir/refused" -m "$dir/labels.csv"

# ---- labels ----

refuses_labels() { # words, name, lines
    printf "$3" >"$dir/bad.csv"
    ends 65 "$1" "labels: $2" "$weaksam" run "${4:-$dir/pictures}" --labels "$dir/bad.csv" \
        -m "$dir/sam_vit_mini.wsam" --clue-model "$dir/weaktr_mini.wsam" -o "$dir/refused"
}
refuses_labels 'no images (JPEG, PNG, WebP, TIFF)' 'an empty folder' '0.png,class 1\n' "$dir/empty"
refuses_labels "1 labelled image is not in .*'gone.png' first" 'missing images' '0.png,class 1\ngone.png,class 1\n'
refuses_labels "'0.png' is named twice" 'duplicate names' '0.png,class 1,class 3\n0.png,class 2\n'
refuses_labels 'no classes' 'no labelled image' '0.png\n'
mkdir "$dir/voc"
for name in 0 bad; do
    echo "<annotation><object><name>class 1</name></object></annotation>" >"$dir/voc/$name.xml"
done
cp "$dir/pictures/0.png" "$dir/pictures/0.jpg"
ends 65 "is '0.xml' about '0.jpg' or another" 'labels: two images for one annotation' run "$dir/refused" --labels "$dir/voc"
rm "$dir/pictures/0.jpg"
[ ! -e "$dir/refused" ]
verdict $? 'labels: nothing is written when they are refused'

printf '0.png,class 3\n1.png,class 3\n' >"$dir/one.csv"
ends 0 "the class 'class 3' is the only one" 'labels: one class alone is told of' run "$dir/one" --labels "$dir/one.csv"
grep -q "11 images without labels are left out (10.png, 11.png, " "$dir/stderr"
verdict $? 'labels: so are pictures without any'
ends 0 "1 labelled image is not there (gone.png)" 'labels: and those that are not there, where that is allowed' \
    sh -c "printf '0.png,class 1\ngone.png,class 2\n' >'$dir/gone.csv' && '$weaksam' run '$dir/pictures' --labels '$dir/gone.csv' \
    -m '$dir/sam_vit_mini.wsam' --clue-model '$dir/weaktr_mini.wsam' -o '$dir/skipped' --points-per-side 4 --skip-missing"

# ---- the page ----

cat >"$dir/data.json" <<'END'
{"images":[{"id":1,"width":96,"height":80,"file_name":"0.png"},
{"id":2,"width":9,"height":9,"file_name":"</script><script>alert(1)</script><img src=x>.png"},
{"id":3,"width":9,"height":9,"file_name":"../\u2028\"'&<!--.png"}],
"categories":[{"id":4,"name":"</ScRiPt><b onclick=\"x\">'cat"}],
"annotations":[
{"id":7,"image_id":1,"category_id":4,"bbox":[8,8,16,16],"score":0.9,"confidence":0.8},
{"id":9,"image_id":2,"category_id":4,"bbox":[1,1,2,2],"score":0.1},
{"id":8,"image_id":3,"category_id":4,"bbox":[1,1,2,2],"score":0.3,"confidence":0.2}]}
END
echo '[{"annotation_id":7}]' >"$dir/suspects.json"
ends 0 '3 instances of 3 images (2 not readable)' 'a page of a data set' \
    "$weaksam" report "$dir/data.json" "$dir/pictures" --title '<i>"t"</i>' \
    --suspects "$dir/suspects.json" -o "$dir/page.html"
page=$dir/page.html
[ "$(grep -o '</[sS][cC][rR][iI][pP][tT]>' "$page" | wc -l)" -eq 3 ] &&
    [ "$(grep -c -i -e '<b onclick' -e '<img' -e '<i>' "$page")" -eq 0 ] &&
    [ "$(grep -o '<!--' "$page" | wc -l)" -eq 0 ]
verdict $? 'names from files are never markup'
[ "$(grep -o '"id":[0-9]*,"class"' "$page" | tr -dc '0-9\n' | tr '\n' ' ')" = '7 9 8 ' ]
verdict $? 'suspects first, then the most doubtful'


# The same square as a polygon, as counts and as text, and none; an id of 0.
cat >"$dir/forms.json" <<'END'
{"images":[{"id":1,"width":96,"height":80,"file_name":"0.png"}],"categories":[{"id":4,"name":"cat"}],"annotations":[
{"id":0,"image_id":1,"category_id":4,"bbox":[8,0,8,80],"score":0.1,"segmentation":[[8,0,16,0,16,80,8,80]]},
{"id":1,"image_id":1,"category_id":4,"bbox":[8,0,8,80],"score":0.2,"segmentation":{"size":[80,96],"counts":[640,640,6400]}},
{"id":2,"image_id":1,"category_id":4,"bbox":[8,0,8,80],"score":0.3,"segmentation":{"size":[80,96],"counts":"Pd0Pd0PX6"}},
{"id":3,"image_id":1,"category_id":4,"bbox":[8,0,8,80],"score":0.4,"segmentation":[]}]}
END
ends 0 '4 instances of 1 images (0 not readable)' 'a page of polygons and both run lengths' \
    "$weaksam" report "$dir/forms.json" "$dir/pictures" -o "$dir/forms.html"
[ "$(grep -o '"path":"M[^"]*"' "$dir/forms.html" | sort | uniq -c | awk '{ print $1 }' | tr '\n' ' ')" = '3 ' ]
verdict $? 'they are drawn, and alike'
sum=$(sed -n 's/.*"checksum":"\([0-9a-f]*\)".*/\1/p' "$dir/forms.html" | head -n 1)
echo "{\"checksum\":\"$sum\",\"0\":\"reject\"}" >"$dir/zero.json"
ends 0 '1 rejected' 'a review of an annotation whose id is 0' "$weaksam" masks -m "$dir/sam_vit_mini.wsam" \
    "$dir/forms.json" "$dir/pictures" --review "$dir/zero.json" -o "$dir/forms_kept.json"

# What the policy names is what is there.
hash_of() { # element
    tr '\n' '\001' <"$page" | sed "s/.*<$1>//; s/<\/$1>.*//" | tr '\001' '\n' >"$dir/element"
    sha256sum "$dir/element" | cut -c1-64 | sed 's/../\\x&/g' | xargs -0 printf '%b' | head -c 32 | base64
}
for element in style script; do
    want=$(hash_of $element)
    grep -q -F "'sha256-$want'" "$page"
    status=$?
    [ $status -eq 0 ] || echo "# $element: sha256-$want"
    verdict $status "the policy has the hash of the page's $element"
done
[ "$(grep -o 'https*://[a-z0-9./]*' "$page" | sort -u)" = http://www.w3.org/2000/svg ]
verdict $? 'the page names no other place'

# A review as the page exports it.
sum=$(sed -n 's/.*"checksum":"\([0-9a-f]*\)".*/\1/p' "$page" | head -n 1)
echo "{\"checksum\":\"$sum\",\"7\":\"accept\",\"8\":\"reject\",\"9\":\"reject\"}" >"$dir/review.json"
ends 0 '2 rejected' 'masks honours a review' "$weaksam" masks -m "$dir/sam_vit_mini.wsam" "$dir/data.json" \
    "$dir/pictures" -o "$dir/reviewed.json" --review "$dir/review.json"
