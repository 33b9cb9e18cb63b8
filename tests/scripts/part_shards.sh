# Shards as several machines run them: a second process, a machine that is gone, helping, and the
# status of all.
build=$1
weaksam=$build/weaksam
dir=$build/tests/shards
rm -rf "$dir"
mkdir -p "$dir/pictures"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

ends() { # status, words on stdout or stderr, name, command...
    want=$1 words=$2 name=$3
    shift 3
    "$@" >"$dir/said" 2>&1
    status=$?
    [ $status -eq "$want" ] && grep -q -e "$words" "$dir/said"
    good=$?
    [ $good -eq 0 ] || { echo "# status $status"; sed 's/^/# /' "$dir/said"; }
    verdict $good "$name"
}

for model in weaktr_mini sam_vit_mini; do
    "$weaksam" twin $model -o "$dir/$model.safetensors" &&
        "$weaksam" convert "$dir/$model.safetensors" -o "$dir/$model.wsam" >/dev/null
done
echo image,class >"$dir/labels.csv"
i=0
while [ $i -lt 12 ]; do
    "$weaksam" draw --size $((64 + 4 * i)),48 -o "$dir/pictures/$i.png"
    echo "$i.png,class $((i % 3)),class 7" >>"$dir/labels.csv"
    i=$((i + 1))
done

run() { # output, options...
    out=$1
    shift
    "$weaksam" run "$dir/pictures" --labels "$dir/labels.csv" -m "$dir/sam_vit_mini.wsam" \
        --clue-model "$dir/weaktr_mini.wsam" -o "$out" --points-per-side 4 --threads 1 "$@"
}

same() { # folder
    for file in points.jsonl proposals.jsonl scores.json images.json pgt.json masks.json failures.jsonl; do
        cmp "$dir/whole/$file" "$1/$file" || return 1
    done
}

ends 66 'no run is there' 'status where no run is' "$weaksam" status "$dir/pictures"
ends 64 'expected the folder' 'status without a folder' "$weaksam" status
ends 64 'expected a number' 'status with a bad interval' "$weaksam" status "$dir" --interval x
ends 0 '12 images, 0 failed' 'a plain run' run "$dir/whole"
ends 0 '12 of 12 images done, 0 failed' 'its status' "$weaksam" status "$dir/whole"

ends 0 '"state":"done"' 'a shard that leaves merging to others' run "$dir/out" --shard 0/3 --no-merge
[ ! -e "$dir/out/masks.json" ]
verdict $? 'has no final files'
ends 75 '4 of 12 images done' 'the status of a run with one of three shards' "$weaksam" status "$dir/out"
grep -q '3 shards: 0 running, 1 done, 2 not begun' "$dir/said"
verdict $? 'which says that two have not begun'
"$weaksam" status "$dir/out" --json >"$dir/json"
grep -q '^{"images":12,"done":4,"failed":0,.*"shards":3,"running":0,"finished":1,"stopped":0,"gone":0,"not_begun":2,"list":\[{"shard":0,"state":"done","done":4,.*"slowest":{"image":".*.png","seconds":' "$dir/json" &&
    python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$dir/json"
verdict $? 'as JSON, too'

# A shard of a machine that this one knows nothing of.
echo 'far:0000abcd-1:77:abc:1 12 0123456789abcdef' >"$dir/out/state/1-of-3.lease"
echo '{"done":1,"failed":0,"total":4,"state":"running","host":"far","pid":77,"started":2000000000}' >"$dir/out/.status/1-of-3.json"
ends 75 '4 of 12 images done' 'a status of other options does not count' "$weaksam" status "$dir/out"
note=$(sed -n 's/.*"manifest":"\([0-9a-f]*\)".*/\1/p' "$dir/out/.status/0-of-3.json")
echo "{\"done\":1,\"failed\":0,\"total\":4,\"state\":\"running\",\"host\":\"far\",\"pid\":77,\"started\":2000000000,\"manifest\":\"$note\"}" >"$dir/out/.status/1-of-3.json"
ends 75 '5 of 12 images done' 'one of these does' "$weaksam" status "$dir/out"
rm "$dir/out/state/1-of-3.lease"
ends 75 '1 gone or silent' 'a process that ended without a word is gone' "$weaksam" status "$dir/out"
cp "$dir/out/.status/1-of-3.json" "$dir/kept.json"
head -c 40 "$dir/kept.json" >"$dir/out/.status/1-of-3.json"
ends 75 '1 damaged status file (.status/1-of-3.json)' 'a damaged status file is named' "$weaksam" status "$dir/out"
grep -q '4 of 12 images done' "$dir/said"
verdict $? 'and its images do not count'
ends 75 '"damaged":1,"first_damaged":".status/1-of-3.json","list":\[' 'in JSON, too' "$weaksam" status "$dir/out" --json
cp "$dir/kept.json" "$dir/out/.status/1-of-3.json"
echo 'far:0000abcd-1:77:abc:1 12 0123456789abcdef' >"$dir/out/state/1-of-3.lease"
before=$(date +%s)
ends 0 '"done":4' 'a machine that is silent is replaced' run "$dir/out" --shard 1/3 --lease-seconds 2
[ $(($(date +%s) - before)) -ge 2 ]
verdict $? 'after the time that it may be silent'
(
    while sleep 0.1; do
        n=$((n + 1))
        echo "far:0000abcd-1:77:abc:1 $n 0123456789abcdef" >"$dir/lease" && mv "$dir/lease" "$dir/out/state/2-of-3.lease"
    done
) &
far=$!
sleep 0.3
ends 75 'another process works on this shard (on far)' 'one that is not is left alone' run "$dir/out" --shard 2/3 --lease-seconds 5
kill $far
wait $far 2>/dev/null
rm -f "$dir/out/state/2-of-3.lease"
"$weaksam" status "$dir/out" --watch --interval 0.2 >"$dir/watched" 2>&1 &
watch=$!
ends 0 '12 images, 0 failed' 'the last shard makes the final files' run "$dir/out" --shard 2/3
wait $watch
[ $? -eq 0 ] && tail -n 3 "$dir/watched" | grep -q '12 of 12 images done' && grep -q '8 of 12\|9 of 12' "$dir/watched"
verdict $? 'status --watch ends when all is done'
same "$dir/out"
verdict $? 'which are those of a plain run'
: >"$dir/out/.status/2-of-7.json"
ends 1 '12 of 12 images done' 'a damaged file of other shards is not passed over, either' "$weaksam" status "$dir/out"
grep -q '1 damaged status file (.status/2-of-7.json)' "$dir/said"
verdict $? 'and named'
rm "$dir/out/.status/2-of-7.json"
: >"$dir/out/.status/0-of-3.json"
ends 75 'start that shard again' 'status --watch ends where nobody will write what is damaged' timeout 30 "$weaksam" status "$dir/out" --watch --interval 0.2
ends 0 '12 images, 0 failed' 'the journals know what a damaged status file does not say' run "$dir/out" --shard 2/3
same "$dir/out"
verdict $? 'and the final files are the same'

run "$dir/help" --shard 0/2 --steal --quiet
ends 0 '12 images, 0 failed' 'shards that help each other' run "$dir/help" --shard 1/2 --steal
grep -q '"done":6,.*"given":0,"stolen":6' "$dir/help/.status/0-of-2.json" && grep -q '"total":6,"given":6,"stolen":0' "$dir/help/.status/1-of-2.json"
verdict $? 'the first did the images of the second'
same "$dir/help"
verdict $? 'with the same final files'
touch "$dir/pictures/3.png"
ends 0 '12 images, 0 failed' 'images that are known need no second look' run "$dir/help" --prepared
same "$dir/help"
verdict $? 'with the same final files again'

# Images in a tar file, with their labels beside them, and as a list of paths.
mkdir "$dir/web"
sed 1d "$dir/labels.csv" | while IFS=, read -r name first second; do
    cp "$dir/pictures/$name" "$dir/web"
    printf '%s\n%s\n' "$first" "$second" >"$dir/web/${name%.png}.cls"
done
tar -C "$dir/web" -cf "$dir/web.tar" .
web() { # images, output, options...
    images=$1 out=$2
    shift 2
    "$weaksam" run "$images" -m "$dir/sam_vit_mini.wsam" --clue-model "$dir/weaktr_mini.wsam" -o "$out" --points-per-side 4 --threads 1 "$@"
}
ends 0 '"done":6' 'a shard of a tar file' web "$dir/web.tar" "$dir/tar" --labels "$dir/web.tar" --shard 1/2
ends 0 '12 images, 0 failed' 'and the other one' web "$dir/web.tar" "$dir/tar" --labels "$dir/web.tar" --shard 0/2
same "$dir/tar"
verdict $? 'images and labels of a tar file: the same final files'
(cd "$dir/pictures" && ls ./*.png) >"$dir/pictures/list.txt"
ends 0 '12 images, 0 failed' 'a list of images' web "$dir/pictures/list.txt" "$dir/list" --labels "$dir/labels.csv"
same "$dir/list"
verdict $? 'gives the same final files'
ends 65 'no.tar: at byte 0: not a header of a tar file' 'a tar file that is none' sh -c "cp '$dir/sam_vit_mini.wsam' '$dir/no.tar' && '$weaksam' run '$dir/no.tar' \
    --labels '$dir/labels.csv' -m '$dir/sam_vit_mini.wsam' --clue-model '$dir/weaktr_mini.wsam' -o '$dir/no'"

# What would be dropped is told.
cp "$dir/web.tar" "$dir/again.tar"
tar -C "$dir/web" -rf "$dir/again.tar" ./3.png ./3.cls ./3.png ./5.png
ends 0 '3 names are there more than once: the last of each counts (3.cls, 3.png, 5.png)' 'members that come again are counted and named' \
    web "$dir/again.tar" "$dir/tar-again" --labels "$dir/again.tar"
same "$dir/tar-again"
verdict $? 'and the last of them counts'
{
    cat "$dir/pictures/list.txt"
    echo 7.png
} >"$dir/pictures/again.txt"
ends 0 '1 name is there more than once: the last counts (7.png)' 'so are lines of a list' \
    web "$dir/pictures/again.txt" "$dir/list-again" --labels "$dir/labels.csv"
mkdir -p "$dir/pictures$dir/pictures"
cp "$dir/pictures/1.png" "$dir/pictures$dir/pictures"
printf '%s\n' "$dir/pictures/1.png" "${dir#/}/pictures/1.png" >"$dir/pictures/both.txt"
case $dir in
/*) ends 65 'would be one image' 'two files of one name in a list are refused' web "$dir/pictures/both.txt" "$dir/no" --labels "$dir/labels.csv" ;;
esac
gzip -k "$dir/web.tar"
ends 65 'web.tar.gz: compressed, and members are read where they lie: unpack it first' 'a compressed tar file says what to do' \
    web "$dir/web.tar.gz" "$dir/no" --labels "$dir/labels.csv"
cp "$dir/web.tar.gz" "$dir/wrong.tar"
ends 65 'wrong.tar: at byte 0: compressed, and members' 'under another name, too' web "$dir/wrong.tar" "$dir/no" --labels "$dir/labels.csv"
ends 65 'web.tar.gz: compressed' 'and as labels' web "$dir/web.tar" "$dir/no" --labels "$dir/web.tar.gz"

# check takes what run takes.
ends 0 'images: 12 with labels' 'check of a tar file' "$weaksam" check "$dir/again.tar" --labels "$dir/again.tar" -m "$dir/sam_vit_mini.wsam" \
    --clue-model "$dir/weaktr_mini.wsam" --quiet
grep -q 'read as a tar file' "$dir/said" && grep -q 'names that are there more than once: 3; the last of each counts (3.cls)' "$dir/said" &&
    grep -q 'a run here: [0-9.]* s an image' "$dir/said"
verdict $? 'says what is in it, and measures'
cp "$dir/pictures/2.png" "$dir/pictures/copy.png"
(cd "$dir/pictures" && printf '%s\n' ./*.png old.bmp) >"$dir/pictures/checked.txt"
sed 's/^2\.png\(.*\)/&\ncopy.png\1/' "$dir/labels.csv" >"$dir/checked.csv"
ends 0 'ignored: 1 bmp file, ' 'check of a list' "$weaksam" check "$dir/pictures/checked.txt" --labels "$dir/checked.csv"
grep -q '2.png = copy.png' "$dir/said"
verdict $? 'finds images that are there twice'
rm "$dir/pictures/copy.png"

# Learning from all shards: the bytes of one machine. Here heads alone; tests/scripts/part_own.sh has classes of one's own.
heads() { # output, options...
    out=$1
    shift
    run "$out" --learn --preset fast --epochs 2 --clue-max-side 64 --log-interval 0 "$@" >"$dir/learning" 2>&1
}
learnt() { # folder
    for file in final.json learn/mil.wsam learn/pgt.json learn/head.wsam learn/detections.json learn/images.json learn/masks.json; do
        cmp "$dir/heads/$file" "$1/$file" || return 1
    done
}
heads "$dir/heads"
verdict $? 'a run that learns'
heads "$dir/heads-shards" --shard 2/3 && heads "$dir/heads-shards" --shard 0/3
[ ! -e "$dir/heads-shards/learn/head.wsam" ]
verdict $? 'two shards of three learn nothing'
[ "$(find "$dir/heads-shards/learn/maps" -type f | wc -l)" -ge 8 ]
verdict $? 'and leave their features'
heads "$dir/heads-shards" --shard 1/3
verdict $? 'the last one learns from the features of all'
learnt "$dir/heads-shards"
verdict $? 'the bytes of one machine'
for shard in 0 1 2; do
    heads "$dir/heads-later" --shard $shard/3 --steal --no-merge &
    eval "heads$shard=\$!"
done
wait "$heads0" && wait "$heads1" && wait "$heads2" && [ ! -e "$dir/heads-later/final.json" ]
verdict $? 'shards at once, that help each other and leave learning to a later process'
heads "$dir/heads-later" --prepared &
first=$!
heads "$dir/heads-later" --prepared && wait $first
verdict $? 'two of which agree who learns'
learnt "$dir/heads-later"
verdict $? 'the bytes of one machine again'
# The process that learns is gone, and its machine with it.
cp -r "$dir/heads-later" "$dir/heads-taken"
rm -r "$dir/heads-taken/learn"
for shard in 0 1 2; do heads "$dir/heads-taken" --shard $shard/3 --no-merge; done
echo 'far:0000abcd-1:77:abc:1 12 -' >"$dir/heads-taken/learn/.lease"
heads "$dir/heads-taken" --prepared --lease-seconds 2
verdict $? 'who learns and is silent is replaced'
learnt "$dir/heads-taken"
verdict $? 'the bytes of one machine after that'
# One that was frozen while it learnt, and goes on when another has taken over.
rm -r "$dir/heads-taken/learn"
heads "$dir/heads-taken" --prepared &
first=$!
until [ -s "$dir/heads-taken/learn/.lease" ]; do sleep 0.02; done
owner=$(cut -d : -f 3 "$dir/heads-taken/learn/.lease")
until [ -e "$dir/heads-taken/learn/mil/.lock" ] || ! kill -0 "$owner" 2>/dev/null; do sleep 0.01; done # in the middle of training
kill -STOP "$owner"
verdict $? 'who learns is frozen'
heads "$dir/heads-taken" --prepared --lease-seconds 2
verdict $? 'and replaced'
learnt "$dir/heads-taken"
verdict $? 'with the bytes of one machine'
kill -CONT "$owner"
wait $first
verdict $? 'goes on later'
learnt "$dir/heads-taken" && [ ! -e "$dir/heads-taken/learn/.lease" ]
verdict $? 'and does no harm'

# While one learns, a run of other labels does not begin: it would take away what is learnt from.
cp -r "$dir/whole" "$dir/learner"
mkdir -p "$dir/learner/learn"
note=$(sed -n 's/.*"manifest":"\([0-9a-f]*\)".*/\1/p' "$dir/learner/.status/0-of-1.json")
(
    while sleep 0.1; do
        n=$((n + 1))
        echo "far:0000abcd-1:77:abc:1 $n $note" >"$dir/lease" && mv "$dir/lease" "$dir/learner/learn/.lease"
    done
) &
far=$!
sleep 0.3
sed 's/class 7/class 8/' "$dir/labels.csv" >"$dir/other.csv"
ends 78 'another process works on it with other pictures, labels or classes' 'a run of other labels waits for who learns' \
    run "$dir/learner" --labels "$dir/other.csv"
ends 0 '12 images, 0 failed' 'one of the same labels does not' run "$dir/learner"
kill $far
wait $far 2>/dev/null
rm -f "$dir/learner/learn/.lease"
ends 0 '12 images, 0 failed' 'nor does one of others afterwards' run "$dir/learner" --labels "$dir/other.csv"

# The simulation of more machines.
ends 0 'images/s   used   server  memory     limit' 'a simulation' "$weaksam" bench scale --images 1000,1e6 --machines 1,10
[ "$(grep -c -e ' compute$' -e ' start$' -e ' stragglers$' "$dir/said")" -eq 4 ]
verdict $? 'has a row for each number'
ends 0 '"machines":3,.*"steal":true,"prepared":true' 'a simulation of a run that was measured' \
    "$weaksam" bench scale --run "$dir/whole" --machines 3 --steal --prepared --json
ends 2 "expected a number from 0 to 3" 'a simulation with a bad number' "$weaksam" bench scale --image-spread 9
ends 1 'timing.json: No such file' 'a simulation of a run that is not there' "$weaksam" bench scale --run "$dir/pictures"
