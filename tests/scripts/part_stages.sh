# The stages as a user meets them: points to proposals, scores, pseudo labels and masks, each a plain
# file; and bad input, each with status 1 and one clear line.
build=$1
weaksam=$build/weaksam
dir=$build/tests/stages
model=$build/mini/sam_mini.wsam
rm -rf "$dir"
mkdir -p "$dir/pictures" "$dir/maps" "$dir/out"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

works() { # name, arguments...
    name=$1
    shift
    "$weaksam" "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq 0 ] || sed 's/^/# /' "$dir/stderr"
    verdict $status "$name"
}

# Status, words in the only line on stderr, and an empty out/.
refuses() { # status, words, name, arguments...
    want=$1 words=$2 name=$3
    shift 3
    "$weaksam" "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq "$want" ] && grep -q -e "$words" "$dir/stderr" &&
        [ "$(wc -l <"$dir/stderr")" -eq 1 ] && [ -z "$(ls "$dir/out")" ]
    status=$?
    [ $status -eq 0 ] || sed 's/^/# /' "$dir/stderr"
    verdict $status "refused: $name"
}

for name in a b; do
    "$weaksam" draw --size 96,64 -o "$dir/pictures/$name.png"
    # A map of two columns, cat on the left and dog on the right.
    header='{"fine.cat":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"fine.dog":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}}   '
    {
        printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
        printf '\0\0\200\077\0\0\0\0\0\0\0\0\0\0\200\077'
    } >"$dir/maps/$name.safetensors"
    cat <<END
{"image":"$name.png","width":96,"height":64,"classes":{"cat":1,"dog":2},"points":[{"x":20,"y":30,"class":"cat","score":1,"source":"coarse"},{"x":70,"y":40,"class":"dog","score":1,"source":"fine"},{"x":48,"y":10,"class":"","score":1,"source":"cross"}]}
END
done >"$dir/points.jsonl"

works "propose" propose -m "$model" "$dir/pictures" --points "$dir/points.jsonl" --points-per-side 4 -o "$dir/proposals.jsonl"
grep -q 'cross boxes too close' "$dir/stderr" && grep -q 'class *4 prompts' "$dir/stderr" && grep -c '"source":"class"' "$dir/proposals.jsonl" | grep -q 2
verdict $? "counts per source, class prompts in both lines"
works "propose again, on another number of threads" propose -m "$model" "$dir/pictures" --points "$dir/points.jsonl" --points-per-side 4 --threads 3 -o "$dir/again.jsonl"
cmp -s "$dir/proposals.jsonl" "$dir/again.jsonl"
verdict $? "the same proposals"

works "propose with other thresholds of the grid" propose -m "$model" "$dir/pictures" --sources grid --points-per-side 4 \
    --pred-iou-thresh 0 --stability-score-thresh 0 --box-nms-thresh 1 -o "$dir/all.jsonl"
[ "$(grep -o '"source":"grid"' "$dir/all.jsonl" | wc -l)" -gt "$(grep -o '"source":"grid"' "$dir/proposals.jsonl" | wc -l)" ]
verdict $? "keeps more of it"

# Proposals that do not depend on the model, for what follows.
for name in a b; do
    echo "{\"image\":\"$name.png\",\"width\":96,\"height\":64,\"proposals\":[{\"box\":[0,0,40,63],\"source\":\"grid\"},{\"box\":[50,0,95,63],\"source\":\"grid\"},{\"box\":[0,0,95,63],\"source\":\"grid\"}]}"
done >"$dir/boxes.jsonl"
works "score" score "$dir/boxes.jsonl" --maps "$dir/maps" -o "$dir/scores.json"
[ "$(grep -c '"category_id":1,"bbox":\[0,0,41,64\]' "$dir/scores.json")" -eq 2 ] &&
    [ "$(grep -c '"category_id":2,"bbox":\[50,0,46,64\]' "$dir/scores.json")" -eq 2 ] &&
    grep -q '{"id":2,"name":"dog"}' "$dir/images.json"
verdict $? "cat on the left, dog on the right"
works "pgt" pgt "$dir/scores.json" --points "$dir/points.jsonl" -o "$dir/labels.json"
[ "$(grep -c '"iscrowd":0' "$dir/labels.json")" -eq 4 ]
verdict $? "a box of each class in each picture"
[ "$(grep -c '"score":1,"raw_score":0\.[0-9]*,"source":"grid"' "$dir/labels.json")" -eq 4 ]
verdict $? "what was measured stays beside the score of a single box, and where it comes from"
printf 'image,class\na.png,dog\n' >"$dir/labels.csv"
works "pgt with a label list" pgt "$dir/scores.json" --labels "$dir/labels.csv" --images "$dir/pictures" -o "$dir/dog.json"
[ "$(grep -c '"iscrowd":0' "$dir/dog.json")" -eq 1 ] && grep -q '"category_id":2,"bbox":\[50' "$dir/dog.json" &&
    grep -q 'no labels for b.png' "$dir/stderr"
verdict $? "labels decide, and a picture without them is named"
# Old names of options work, and say so; --images of a file meant what --image-ids means now.
works "old names of options" pgt "$dir/scores.json" --labels "$dir/labels.csv" --folder "$dir/pictures" --surer \
    --images "$dir/images.json" -o "$dir/old.json"
[ "$(grep -c 'the old name will be removed in' "$dir/stderr")" -eq 3 ] && grep -q -e '--images FILE is now --image-ids' "$dir/stderr"
verdict $? "a remark for each of them"
works "new names of options" pgt "$dir/scores.json" --labels "$dir/labels.csv" --images "$dir/pictures" --contained-by-higher-score \
    --image-ids "$dir/images.json" -o "$dir/new.json"
cmp -s "$dir/old.json" "$dir/new.json" && ! grep -q 'old name' "$dir/stderr"
verdict $? "the same result without a remark"
works "import of a results list" score --import "$dir/scores.json" -o "$dir/out/scores.json"
cmp -s "$dir/scores.json" "$dir/out/scores.json" && cmp -s "$dir/images.json" "$dir/out/images.json"
verdict $? "comes out as it went in"
rm -f "$dir/out"/*
works "masks" masks -m "$model" "$dir/labels.json" "$dir/pictures" -o "$dir/masks.json"
works "masks as polygons" masks -m "$model" "$dir/labels.json" "$dir/pictures" --polygons -o "$dir/polygons.json"
works "masks are a data set" eval --gt "$dir/masks.json" --dt "$dir/masks.json" --kind bbox,segm

# What a person rejects stays away, and only from the file that was looked at.
masks=$(grep -c '"iscrowd":0' "$dir/masks.json")
first=$(sed -n 's/.*"id":\([0-9]*\),"iscrowd".*/\1/p' "$dir/masks.json" | head -n 1)
if [ "$masks" -gt 0 ]; then
    sum=$("$weaksam" masks --checksum "$dir/masks.json")
    printf '{"checksum":"%s","%s":"reject"}\n' "$sum" "$first" >"$dir/review.json"
    works "a review, without a model" masks "$dir/masks.json" "$dir/pictures" --review "$dir/review.json" -o "$dir/reviewed.json"
    grep -q ' 1 rejected' "$dir/stderr" && grep -q "\"id\":$first,\"iscrowd\".*\"reviewed\":\"rejected\"" "$dir/reviewed.json"
    verdict $? "rejects one"
    grep '"iscrowd"' "$dir/masks.json" | grep -v "\"id\":$first,\"iscrowd\"" | tr -d '\n' | sed 's/},*{/}{/g; s/,$//' >"$dir/want"
    grep '"iscrowd"' "$dir/reviewed.json" | grep -v '"reviewed"' | tr -d '\n' | sed 's/},*{/}{/g; s/,$//' | cmp -s - "$dir/want"
    verdict $? "and leaves the other masks as they were looked at"
    sum=$("$weaksam" masks --checksum "$dir/polygons.json")
    printf '{"checksum":"%s","%s":"accept"}\n' "$sum" "$first" >"$dir/accept.json"
    works "a review of polygons" masks "$dir/polygons.json" "$dir/pictures" --review "$dir/accept.json" -o "$dir/out/x.json" --min-confidence 1
    [ "$(grep -c '"iscrowd"' "$dir/out/x.json")" -eq 1 ] && grep -q "\"id\":$first,.*\"reviewed\":\"accepted\"" "$dir/out/x.json"
    verdict $? "what was accepted stays whatever its confidence"
    rm -f "$dir/out"/*
    sum=$("$weaksam" masks --checksum "$dir/labels.json")
    printf '{"checksum":"%s"}\n' "$sum" >"$dir/of_boxes.json"
    refuses 1 "MODEL.wsam makes them" "boxes without masks or a model" masks "$dir/labels.json" "$dir/pictures" --review "$dir/of_boxes.json" -o "$dir/out/x.json"
    refuses 1 "is about another data set" "a review of another file" masks -m "$model" "$dir/labels.json" "$dir/pictures" --review "$dir/review.json" -o "$dir/out/x.json"
else
    echo "not ok - the model gave no masks to review"
fi

: >"$dir/empty.jsonl"
printf 'cat\n' >"$dir/one.txt"
printf 'cat\ncat\n' >"$dir/twice.txt"
sed 's/a\.png/..\/a.png/' "$dir/boxes.jsonl" | head -n 1 >"$dir/outside.jsonl"
mkdir "$dir/none"
refuses 1 "the file is empty" "an empty file of points" propose -m "$model" "$dir/pictures" --points "$dir/empty.jsonl" -o "$dir/out/x"
refuses 1 "no images" "an empty folder" propose -m "$model" "$dir/none" -o "$dir/out/x"
refuses 1 "twice.txt:2: 'cat' is there twice" "a class twice" score "$dir/boxes.jsonl" --maps "$dir/maps" --classes "$dir/twice.txt" -o "$dir/out/x"
refuses 1 "the file is empty" "an empty file of proposals" score "$dir/empty.jsonl" --maps "$dir/maps" -o "$dir/out/x"
printf '[]' >"$dir/none/list.json"
refuses 1 "images.json: No such file" "a results list that nothing explains" pgt "$dir/none/list.json" -o "$dir/out/x"
refuses 2 "expected grid" "an unknown source" propose -m "$model" "$dir/pictures" --sources grid,mine
refuses 2 "adaptive, top1" "an unknown method" pgt "$dir/scores.json" --method best -o "$dir/out/x"
refuses 2 "from 0 to 1" "a confidence of 2" masks --min-confidence 2

# A bad picture is reported, the others go on, and the status says so.
"$weaksam" score "$dir/boxes.jsonl" --maps "$dir/maps" --classes "$dir/one.txt" -o "$dir/one.json" 2>"$dir/stderr"
[ $? -eq 1 ] && [ "$(grep -c "the class 'dog' is not in the list of 1" "$dir/stderr")" -eq 2 ]
verdict $? "an unknown class, picture by picture"
rm "$dir/maps/b.safetensors"
"$weaksam" score "$dir/boxes.jsonl" --maps "$dir/maps" -o "$dir/half.json" 2>"$dir/stderr"
[ $? -eq 1 ] && grep -q 'b.safetensors: No such file' "$dir/stderr" && grep -q '"image_id":1' "$dir/half.json"
verdict $? "a picture without maps"
"$weaksam" score "$dir/outside.jsonl" --maps "$dir/maps" -o "$dir/half.json" 2>"$dir/stderr"
[ $? -eq 1 ] && grep -q 'leads out of the folder' "$dir/stderr"
verdict $? "a name that leads out of the folder"
