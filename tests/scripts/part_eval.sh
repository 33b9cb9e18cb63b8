# weaksam eval as a user meets it: tables, JSON, bad options and files.
build=$1
weaksam=$build/weaksam
dir=$build/tests/eval
data=tests/data/eval
rm -rf "$dir"
mkdir -p "$dir"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

evaluate() {
    "$weaksam" eval --gt $data/voc "$@" 2>"$dir/stderr"
    status=$?
    [ $status -eq 0 ] || sed 's/^/# /' "$dir/stderr"
    return $status
}

# Status, words on stderr, nothing on stdout, one line for bad files.
refuses() { # status, words, name, arguments...
    want=$1 words=$2 name=$3
    shift 3
    "$weaksam" eval "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq "$want" ] && grep -q -e "$words" "$dir/stderr" && [ ! -s "$dir/stdout" ] &&
        [ "$(wc -l <"$dir/stderr")" -eq 1 ]
    verdict $? "refused: $name"
}

cat >"$dir/want" <<'END'
corloc: 3 images, 3 objects, 5 results (1.7 per image)
   1.0000  mean CorLoc
   1.0000  dog
   1.0000  person
        -  18 classes without objects
recall: 3 images, 4 objects, 5 proposals (1.7 per image)
   1.0000  recall at IoU 0.5 (4 of 4)
   1.0000  recall at IoU 0.6 (4 of 4)
   1.0000  recall at IoU 0.7 (4 of 4)
   1.0000  recall at IoU 0.75 (4 of 4)
   1.0000  recall at IoU 0.8 (4 of 4)
   1.0000  recall at IoU 0.9 (4 of 4)
END
evaluate --dt $data/results.json --kind corloc,recall >"$dir/got" && diff "$dir/want" "$dir/got"
verdict $? "tables"

echo '{"recall":{"0.5":0.75,"0.95":0.5,"found":{"0.5":3,"0.95":2},"objects":4,"images":3,"proposals":3,"proposals_per_image":1}}' >"$dir/want"
evaluate --dt $data/proposals.jsonl --kind recall --iou 0.5,0.95 --json >"$dir/got" && diff "$dir/want" "$dir/got"
verdict $? "JSON"

evaluate --dt $data/results.json --kind voc --metric 11point --json >"$dir/got" &&
    grep -q '"dog":0.84848484848484[0-9]*,.*"metric":"11point"' "$dir/got"
verdict $? "11 points"

evaluate --dt $data/results.json --list $data/voc/list.txt --kind bbox,voc,corloc --threads 1 --json >"$dir/a" &&
    grep -q '2 results of images outside the list' "$dir/stderr" &&
    evaluate --dt $data/dataset.json --list $data/voc/list.txt --kind bbox,voc,corloc --threads 5 --json >"$dir/b" &&
    cmp "$dir/a" "$dir/b"
verdict $? "a data set with a list is the results list with it"

results=$data/results.json
refuses 2 "expected bbox, segm" "an unknown kind" --gt $data/voc --dt $results --kind keypoints
refuses 2 "expected bbox, segm" "a kind twice" --gt $data/voc --dt $results --kind bbox,bbox
refuses 2 "between 0 and 1" "an IoU of 1.5" --gt $data/voc --dt $results --iou 1.5
refuses 2 "expected 1 to 6 numbers" "seven IoUs" --gt $data/voc --dt $results --iou .1,.2,.3,.4,.5,.6,.7
refuses 2 "11point or area" "an unknown metric" --gt $data/voc --dt $results --metric voc
refuses 2 "1 to 1024" "no threads" --gt $data/voc --dt $results --threads 0
refuses 2 "dt is needed" "no results" --gt $data/voc
refuses 2 "gt is needed" "no truth" --dt $results
refuses 2 "no use for" "a stray argument" --gt $data/voc --dt $results more
refuses 1 "No such file" "a missing file" --gt $data/voc --dt "$dir/none.json"
refuses 1 "is a directory" "a folder of results" --gt $data/voc --dt "$dir"
refuses 1 "have no masks" "masks of VOC annotations" --gt $data/voc --dt $results --kind segm
refuses 1 "no classes" "AP of proposals" --gt $data/voc --dt $data/proposals.jsonl
refuses 1 "category_id 12 is not among the categories of $data/parts" "another class list" --gt $data/parts --dt $results

# A list that was written with its names has ids of its own.
mkdir -p "$dir/own"
cp $data/results_of_images.json "$dir/own/list.json"
sed '1s/{/{"results":"list.json",/' $data/images.json >"$dir/own/images.json"
evaluate --dt "$dir/own/list.json" --kind bbox,corloc >"$dir/got" &&
    evaluate --dt "$dir/own/list.json" --image-ids $data/images.json --kind bbox,corloc >"$dir/want" &&
    ! evaluate --dt "$dir/own/list.json" --image-ids - --kind bbox,corloc >"$dir/other" && diff "$dir/want" "$dir/got"
verdict $? "ids by the names that were written with the results"

# One list of names for several lists; a list that it leaves out is refused, as its ids may be others than the truth's.
cp $data/results_of_images.json "$dir/own/more.json"
sed '1s/{/{"results":["list.json","more.json"],\n/' $data/images.json >"$dir/own/images.json"
evaluate --dt "$dir/own/more.json" --kind bbox,corloc >"$dir/got" && evaluate --dt "$dir/own/list.json" --kind bbox,corloc >"$dir/other" &&
    diff "$dir/want" "$dir/got" && diff "$dir/want" "$dir/other"
verdict $? "ids by names that several lists share"
cp $data/results_of_images.json "$dir/own/third.json"
refuses 1 "is about other lists" "a list whose names were replaced" --gt $data/parts --dt "$dir/own/third.json"
"$weaksam" pgt "$dir/own/third.json" -o "$dir/own/pgt.json" >/dev/null 2>"$dir/stderr"
[ $? -eq 1 ] && grep -q "is about other lists" "$dir/stderr" &&
    "$weaksam" pgt "$dir/own/third.json" --image-ids "$dir/own/images.json" -o "$dir/own/pgt.json" --quiet
verdict $? "pgt asks for the names of such a list, too"
