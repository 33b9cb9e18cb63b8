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
ends 65 'not a header of a tar file (compressed' 'a tar file that is none' sh -c "cp '$dir/sam_vit_mini.wsam' '$dir/no.tar' && '$weaksam' run '$dir/no.tar' \
    --labels '$dir/labels.csv' -m '$dir/sam_vit_mini.wsam' --clue-model '$dir/weaktr_mini.wsam' -o '$dir/no'"

# The simulation of more machines.
ends 0 'images/s   used   server  memory     limit' 'a simulation' "$weaksam" bench scale --images 1000,1e6 --machines 1,10
[ "$(grep -c -e ' compute$' -e ' start$' -e ' stragglers$' "$dir/said")" -eq 4 ]
verdict $? 'has a row for each number'
ends 0 '"machines":3,.*"steal":true,"prepared":true' 'a simulation of a run that was measured' \
    "$weaksam" bench scale --run "$dir/whole" --machines 3 --steal --prepared --json
ends 2 "expected a number from 0 to 3" 'a simulation with a bad number' "$weaksam" bench scale --image-spread 9
ends 1 'timing.json: No such file' 'a simulation of a run that is not there' "$weaksam" bench scale --run "$dir/pictures"
