# weaksam encode with a frozen backbone as a user meets it: tokens of a picture of any size, refusals.
build=$1
weaksam=$build/weaksam
dir=$build/tests/part_backbone
rm -rf "$dir"
mkdir -p "$dir"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

# Status, words on stderr, nothing on stdout and no file.
refuses() { # status, words, name, arguments...
    want=$1 words=$2 name=$3
    shift 3
    "$weaksam" "$@" -o "$dir/no" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq "$want" ] && grep -q -e "$words" "$dir/stderr" && [ ! -s "$dir/stdout" ] && [ ! -e "$dir/no" ] &&
        [ "$(wc -l <"$dir/stderr")" -eq 1 ]
    verdict $? "refused: $name"
}

"$weaksam" draw -o "$dir/a.png" --size 30,20
"$weaksam" twin dinov2_reg_mini -o "$dir/b.safetensors" && "$weaksam" twin tiny_vit_mini -o "$dir/s.safetensors" &&
    "$weaksam" convert "$dir/b.safetensors" -o "$dir/b.wsam" --type int8 --quiet &&
    "$weaksam" convert "$dir/s.safetensors" -o "$dir/s.wsam" --image-size 256 --quiet &&
    "$weaksam" verify "$dir/b.wsam" >/dev/null
verdict $? "convert and verify a backbone"
"$weaksam" inspect "$dir/b.wsam" >"$dir/inspect" && grep -q backbone.positions "$dir/inspect" && grep -q antialias "$dir/inspect"
verdict $? "inspect tells the positions' mode"

"$weaksam" encode -m "$dir/b.wsam" "$dir/a.png" --max-side 112 -o "$dir/t.safetensors" &&
    head -c 600 "$dir/t.safetensors" | grep -aq '"patch_tokens":{"dtype":"F32","shape":\[5,8,64\]' &&
    head -c 600 "$dir/t.safetensors" | grep -aq '"class_token":{"dtype":"F32","shape":\[64\]'
verdict $? "encode enlarges a small picture to 8 x 5 patches"
"$weaksam" encode -m "$dir/b.wsam" "$dir/a.png" -o "$dir/u.safetensors" &&
    head -c 600 "$dir/u.safetensors" | grep -aq '"shape":\[25,37,64\]'
verdict $? "encode's long side is 518 pixels"
"$weaksam" encode -m "$dir/b.wsam" "$dir/a.png" --max-side 112 --threads 3 -o "$dir/v.safetensors" &&
    cmp -s "$dir/t.safetensors" "$dir/v.safetensors"
verdict $? "encode gives the same bytes with three threads"
"$weaksam" convert "$dir/b.safetensors" -o "$dir/o.wsam" --positions offset --quiet &&
    "$weaksam" inspect "$dir/o.wsam" | grep -q 'backbone.positions.*offset'
verdict $? "convert --positions"

refuses 1 "are for backbones\|is for backbones" "--max-side with a segmenter" encode -m "$dir/s.wsam" "$dir/a.png" --max-side 100
refuses 2 "1 to 8192" "a long side of 0" encode -m "$dir/b.wsam" "$dir/a.png" --max-side 0
refuses 2 "offset, size or antialias" "an unknown mode" convert "$dir/b.safetensors" --positions nearest
refuses 1 "no backbone" "a mode for a segmenter" convert "$dir/s.safetensors" --positions size
refuses 1 "clue network" "a backbone as clue network" clues -m "$dir/b.wsam" "$dir/a.png"
refuses 1 "segmenter" "a backbone as segmenter" segment -m "$dir/b.wsam" "$dir/a.png" --point 3,3
