# weaksam import-pickle: proposals and labels of pickles as lines, and back; what is refused.
build=$1
weaksam=$build/weaksam
dir=$build/tests/part_pickle
rm -rf "$dir"
mkdir -p "$dir/images"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

# A pickle, as printf writes it, gives status 1, one line with the words, and no file.
refuses() { # words, name, bytes
    # shellcheck disable=SC2059 # the bytes are a format
    printf "$3" >"$dir/bad.pkl"
    "$weaksam" import-pickle "$dir/bad.pkl" -o "$dir/no" 2>"$dir/stderr"
    [ $? -eq 1 ] && grep -q -e "$1" "$dir/stderr" && [ "$(wc -l <"$dir/stderr")" -eq 1 ] && [ ! -e "$dir/no" ]
    verdict $? "refused: $2"
}

# Proposals: lines, a pickled list, lines by the names and sizes of images.
cat >"$dir/lines.jsonl" <<'EOF'
{"image":"0","proposals":[{"box":[1,2,30.5,40],"source":"grid"},{"box":[0,0,7,9.25],"source":"grid"}]}
{"image":"1","proposals":[]}
EOF
"$weaksam" import-pickle "$dir/lines.jsonl" -o "$dir/list.pkl" --quiet && "$weaksam" import-pickle "$dir/list.pkl" -o "$dir/again.jsonl" 2>"$dir/stderr" &&
    cmp -s "$dir/lines.jsonl" "$dir/again.jsonl" && grep -q '2 images, 2 boxes$' "$dir/stderr"
verdict $? "a list of arrays, there and back"
"$weaksam" draw -o "$dir/images/000005.png" --size 50,60 && "$weaksam" draw -o "$dir/images/2007_000027.png" --size 45,40
printf '2007_000027\n000005\n' >"$dir/names.txt"
"$weaksam" import-pickle "$dir/list.pkl" --names "$dir/names.txt" --images "$dir/images" -o "$dir/named.jsonl" --quiet &&
    head -1 "$dir/named.jsonl" | grep -q '^{"image":"2007_000027.png","width":45,"height":40,"proposals":\[{"box":\[1,2,30.5,40\]'
verdict $? "names and sizes of images"
"$weaksam" import-pickle "$dir/named.jsonl" --form dict -o "$dir/mist.pkl" --quiet &&
    "$weaksam" import-pickle "$dir/mist.pkl" --images "$dir/images" -o "$dir/mist.jsonl" --quiet &&
    grep -q '^{"image":"2007_000027.png","id":"2007000027","width":45,.*"predicted_iou":1}' "$dir/mist.jsonl" &&
    grep -q '^{"image":"000005.png","id":"5",' "$dir/mist.jsonl"
verdict $? "boxes, scores and indexes; images by their numbers"
"$weaksam" twin mist_mini -o "$dir/mist.safetensors" && "$weaksam" convert "$dir/mist.safetensors" -o "$dir/mist.wsam" --quiet &&
    "$weaksam" score "$dir/mist.jsonl" -m "$dir/mist.wsam" --images "$dir/images" --scales 64 -o "$dir/scores.json" --quiet && [ -s "$dir/scores.json" ]
verdict $? "such lines are scored"

# Pseudo labels: any value of JSON.
cat >"$dir/pgt.jsonl" <<'EOF'
{"image":"5","annotations":[{"image_id":5,"category_id":3,"bbox":[1.5,2,30.25,40],"score":0.10000000000000001,"name":"caf\u00e9","x":[null,-7,8589934592]}],"multi_label":[3]}
{"image":"7","annotations":[],"multi_label":[]}
EOF
"$weaksam" import-pickle "$dir/pgt.jsonl" -o "$dir/pgt.pkl" --quiet && "$weaksam" import-pickle "$dir/pgt.pkl" -o "$dir/pgt2.jsonl" --quiet &&
    sed 's/caf.u00e9/café/' "$dir/pgt.jsonl" | cmp -s - "$dir/pgt2.jsonl"
verdict $? "pseudo labels, there and back"
"$weaksam" import-pickle "$dir/pgt.jsonl" --form list -o "$dir/results.pkl" --quiet && "$weaksam" import-pickle "$dir/results.pkl" -o "$dir/results.jsonl" --quiet &&
    [ "$(wc -l <"$dir/results.jsonl")" -eq 1 ] && grep -q '^{"image":"5","annotations":\[{"image_id":5,' "$dir/results.jsonl"
verdict $? "a list of annotations"
if command -v python3 >/dev/null; then
    python3 -c 'import pickle, sys; p = pickle.load(open(sys.argv[1], "rb")); assert p["5"][0]["x"] == [None, -7, 1 << 33] and p["multi_label"]["7"] == []
for k in 2, 3, 4, 5: pickle.dump(p, open("%s.%d" % (sys.argv[1], k), "wb"), k)' "$dir/pgt.pkl" &&
        for k in 2 3 4 5; do "$weaksam" import-pickle "$dir/pgt.pkl.$k" -o "$dir/p.jsonl" --quiet && cmp -s "$dir/p.jsonl" "$dir/pgt2.jsonl" || exit 1; done
    verdict $? "Python reads ours, and its own are read"
fi

refuses 'asks for os.system' "a program" '\200\003cos\nsystem\nX\001\000\000\000x\205R.'
refuses 'no number, text, list' "an object" '\200\003}X\001\000\000\0005cmy\nThing\n)\201s.'
refuses 'too deep' "a list in itself" '\200\003}X\001\000\000\0005]q\000h\000as.'
refuses 'not finite' "a number that is none" '\200\003}X\001\000\000\0005]G\177\370\000\000\000\000\000\000as.'
refuses 'ends early' "a pickle that is cut off" '\200\003}X\001\000\000\0005]'
refuses 'behind the pickle' "two pickles" '\200\003}X\001\000\000\0005]s.\200\003N.'
refuses 'with something in it' "an empty list" '\200\003].'
refuses 'neither a pickle' "a text" 'hello'
refuses 'not equally long' "lists of different lengths" '\200\003}(X\005\000\000\000boxes]X\007\000\000\000indexes]K\001au.'
refuses "expected 'proposals'" "lines of something else" '{"image":"a","points":[]}\n'
"$weaksam" import-pickle "$dir/list.pkl" --names "$dir/lines.jsonl" --images "$dir/images" -o "$dir/no" 2>"$dir/stderr"
[ $? -eq 1 ] && grep -q "is not in it" "$dir/stderr" && [ ! -e "$dir/no" ]
verdict $? "refused: a name without an image"
printf 'a\n' >"$dir/one.txt"
"$weaksam" import-pickle "$dir/list.pkl" --names "$dir/one.txt" -o "$dir/no" 2>"$dir/stderr"
[ $? -eq 1 ] && grep -q '1 names for a list of 2 images' "$dir/stderr"
verdict $? "refused: too few names"
rm -rf "$dir"
