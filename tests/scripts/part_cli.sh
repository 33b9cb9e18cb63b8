# The command as a user meets it: equal results by every road, and bad input, each with status 1, one
# clear line, and nothing half-written left behind.
build=$1
weaksam=$build/weaksam
dir=$build/tests/cli
mini=$build/mini/sam_mini.wsam
other=$build/mini/tiny_mini.wsam
rm -rf "$dir"
mkdir -p "$dir/out"
"$build/tests/pictures" "$dir" || echo "not ok - pictures"
card=$dir/card.png

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

works() { # name, command...
    name=$1
    shift
    "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq 0 ] || sed 's/^/# /' "$dir/stderr"
    verdict $status "$name"
}

# Expects a status, one line that contains the words, and an empty $dir/out.
refuses() { # status, words, name, command...
    want=$1 words=$2 name=$3
    shift 3
    "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    lines=$(wc -l <"$dir/stderr")
    left=$(find "$dir/out" -mindepth 1 | head -n 1)
    if [ $status -ne "$want" ]; then
        echo "# status $status: $(head -n 2 "$dir/stderr")"
    elif [ "$want" -eq 1 ] && [ "$lines" -ne 1 ]; then
        echo "# $lines lines: $(head -n 2 "$dir/stderr")"
    elif ! grep -q "$words" "$dir/stderr"; then
        echo "# '$words' is not in: $(head -n 1 "$dir/stderr")"
    elif [ -n "$left" ]; then
        echo "# left behind: $left"
    else
        echo "ok - refused: $name"
        return
    fi
    echo "not ok - refused: $name"
    rm -rf "$dir/out"
    mkdir "$dir/out"
}

segment() { "$weaksam" segment -m "$mini" --quiet "$@"; }
same() { cmp "$1" "$2"; }

# ---- roads that must agree ----
works "version" "$weaksam" --version
works "help" "$weaksam" --help
works "verify" "$weaksam" verify "$mini"
works "inspect" "$weaksam" inspect "$mini"
works "inspect --json" "$weaksam" inspect "$mini" --json
works "bench" "$weaksam" bench -m "$mini" --encodes 1 --prompts 1
works "bench --json" "$weaksam" bench -m "$mini" --encodes 1 --prompts 1 --json
works "bench --profile" sh -c "'$weaksam' bench -m '$mini' --encodes 1 --prompts 1 --profile >'$dir/profile'"
works "bench --profile tells windows from global attention" grep -q "attn, windows of" "$dir/profile"
works "bench --profile --json" "$weaksam" bench -m "$mini" --encodes 1 --prompts 1 --profile --json
screen() { awk 'length > 100 { wide = 1 } END { exit wide || NR > 40 }'; }
works "kernels" sh -c "'$weaksam' kernels >'$dir/kernels'"
works "kernels fits a screen" screen <"$dir/kernels"
works "kernels --list" "$weaksam" kernels --list
works "kernels --json" "$weaksam" kernels --json
# Levels that the machine lacks are told from the list of kernel files: the same cells.
"$weaksam" kernels --as-if c | sed '1d; /^(level)/d' >"$dir/kernels.files"
works "equal kernels from tables and files" sh -c "sed '1d; /^(level)/d' '$dir/kernels' | cmp - '$dir/kernels.files'"
works "encode" "$weaksam" encode -m "$mini" "$card" -o "$dir/card.emb" --threads 1
works "encode with three threads" "$weaksam" encode -m "$mini" "$card" -o "$dir/card3.emb" --threads 3
works "equal embeddings" same "$dir/card.emb" "$dir/card3.emb"
works "segment a picture" segment "$card" --point 213,240 --box 100,100,400,400 --multimask -o "$dir/a.safetensors"
works "segment its embedding" segment --embedding "$dir/card.emb" --point 213,240 --box 100,100,400,400 --multimask -o "$dir/b.safetensors"
works "equal masks from picture and embedding" same "$dir/a.safetensors" "$dir/b.safetensors"
printf '%s\n' '{"id": 7, "points": [[213, 240, 1]], "box": [100, 100, 400, 400], "multimask": true}' >"$dir/one.jsonl"
works "segment a prompt file" segment "$card" --prompts "$dir/one.jsonl" -o "$dir/c.safetensors"
works "equal masks from option and file" same "$dir/a.safetensors" "$dir/c.safetensors"
works "plain lowering" segment "$card" --point 213,240 --lowering plain -o "$dir/d.safetensors"
works "level c" segment "$card" --point 213,240 --isa c -o "$dir/e.safetensors"
works "a JPEG" segment "$dir/card.jpg" --point 213,240 -o "$dir/f.safetensors"
works "a folder of masks" segment "$card" --prompts "$dir/one.jsonl" --timing -o "$dir/masks"
works "masks.json" grep -q '"segmentation"' "$dir/masks/masks.json"

# ---- smoothing measured on pictures: outliers cost less than without it, the same file every time ----
mkdir -p "$dir/pictures" "$dir/nothing"
cp "$card" "$dir/pictures"
to_int8() { "$weaksam" convert "$dir/outliers.safetensors" --type int8 --quiet "$@"; }
embedding_error() { "$weaksam" verify "$1" --against "$dir/outliers.safetensors" | awk '$2 == "embedding" { print $3 }'; }
closer() { awk -v a="$(embedding_error "$1")" -v b="$(embedding_error "$2")" 'BEGIN { exit !(a > 0 && a < b) }'; }
works "twin with outliers" "$weaksam" twin sam_vit_mini --outliers -o "$dir/outliers.safetensors"
works "convert --calibrate" to_int8 --calibrate "$dir/pictures" -o "$dir/calibrated.wsam"
works "convert --calibrate again" to_int8 --calibrate "$dir/pictures" -o "$dir/again.wsam"
works "equal calibrated files" same "$dir/calibrated.wsam" "$dir/again.wsam"
works "convert without calibration" to_int8 -o "$dir/by-weights.wsam"
works "convert --no-smoothing" to_int8 --no-smoothing -o "$dir/rough.wsam"
works "calibration has an effect" sh -c "! cmp -s '$dir/calibrated.wsam' '$dir/by-weights.wsam'"
works "calibrated better than not smoothed" closer "$dir/calibrated.wsam" "$dir/rough.wsam"

# ---- bad input ----
out=$dir/out/x
: >"$dir/empty"
echo "this is not a model" >"$dir/text"
head -c 3000 "$mini" >"$dir/short.wsam"
{ head -c 8 "$mini" && printf '\002' && tail -c +10 "$mini"; } >"$dir/newer.wsam"
printf '{"id": 1, "points": [[1, 2, 1]\n' >"$dir/broken.jsonl"
printf '{"id": 1}\n' >"$dir/none.jsonl"
printf '{"id": 1, "points": [[1, 1e400, 1]]}\n' >"$dir/huge.jsonl"

refuses 1 nosuch "convert: no such file" "$weaksam" convert "$dir/nosuch" -o "$out.wsam"
refuses 1 "$dir" "convert: a folder" "$weaksam" convert "$dir" -o "$out.wsam"
refuses 1 empty "convert: an empty file" "$weaksam" convert "$dir/empty" -o "$out.wsam"
refuses 1 text "convert: a text file" "$weaksam" convert "$dir/text" -o "$out.wsam"
refuses 1 short.wsam "convert: a weight file" "$weaksam" convert "$dir/short.wsam" -o "$out.wsam"
refuses 1 tiny.safetensors "convert: another model" "$weaksam" convert tests/data/tiny.safetensors -o "$out.wsam"
refuses 1 tiny.zip.pth "convert: another model in a zip" "$weaksam" convert tests/data/tiny.zip.pth -o "$out.wsam"
refuses 1 tiny.legacy.pth "convert: another model in the old container" "$weaksam" convert tests/data/tiny.legacy.pth -o "$out.wsam"

refuses 1 nosuch "convert --calibrate: no such folder" to_int8 --calibrate "$dir/nosuch" -o "$out.wsam"
refuses 1 "no PNG or JPEG" "convert --calibrate: no images" to_int8 --calibrate "$dir/nothing" -o "$out.wsam"
refuses 2 int8 "convert --calibrate: f32" "$weaksam" convert "$dir/outliers.safetensors" --calibrate "$dir/pictures" -o "$out.wsam"

refuses 1 nosuch "model: no such file" "$weaksam" encode -m "$dir/nosuch" "$card" -o "$out"
refuses 1 "$dir" "model: a folder" "$weaksam" encode -m "$dir" "$card" -o "$out"
refuses 1 empty "model: an empty file" "$weaksam" encode -m "$dir/empty" "$card" -o "$out"
refuses 1 text "model: a text file" "$weaksam" encode -m "$dir/text" "$card" -o "$out"
refuses 1 short.wsam "model: truncated" "$weaksam" encode -m "$dir/short.wsam" "$card" -o "$out"
refuses 1 version "model: another version" "$weaksam" encode -m "$dir/newer.wsam" "$card" -o "$out"
refuses 1 isa "unknown level" "$weaksam" encode -m "$mini" "$card" -o "$out" --isa mmx
refuses 1 "memory limit" "too little memory" "$weaksam" encode -m "$mini" "$card" -o "$out" --max-memory 10000

for bad in nosuch.png empty text truncated.jpg thin.png bomb.png; do
    refuses 1 "$bad" "image: $bad" "$weaksam" encode -m "$mini" "$dir/$bad" -o "$out"
done
refuses 1 "$dir" "image: a folder" "$weaksam" encode -m "$mini" "$dir" -o "$out"

refuses 1 . "prompt: NaN" segment "$card" --point nan,3 -o "$out.safetensors"
refuses 1 . "prompt: infinity" segment "$card" --box 1,1,inf,20 -o "$out.safetensors"
refuses 1 . "prompt: absurd coordinates" segment "$card" --point 1e30,3 -o "$out.safetensors"
refuses 2 "with label 0 or 1" "prompt: absurd label" segment "$card" --point 10,10,77 -o "$out.safetensors"
refuses 1 broken.jsonl "prompt file: broken JSON" segment "$card" --prompts "$dir/broken.jsonl" -o "$out.safetensors"
refuses 1 none.jsonl "prompt file: neither point nor box" segment "$card" --prompts "$dir/none.jsonl" -o "$out.safetensors"
refuses 1 huge.jsonl "prompt file: a number beyond doubles" segment "$card" --prompts "$dir/huge.jsonl" -o "$out.safetensors"
refuses 1 card.emb "embedding of another model" "$weaksam" segment -m "$other" --embedding "$dir/card.emb" --point 9,9 -o "$out.safetensors"
refuses 1 . "output in a folder that is not there" "$weaksam" encode -m "$mini" "$card" -o "$dir/out/no/such/x"
refuses 2 . "unknown option" "$weaksam" segment --frobnicate
refuses 2 . "unknown command" "$weaksam" frobnicate
refuses 2 . "no command" "$weaksam"
refuses 2 . "no model" "$weaksam" encode "$card" -o "$out"
rm -rf "$dir"
