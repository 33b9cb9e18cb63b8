# weaksam detect with a detector as a user meets it: an image, a folder, what is written, and what is refused.
build=$1
weaksam=$build/weaksam
dir=$build/tests/part_detect
rm -rf "$dir"
mkdir -p "$dir/images"

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi
}

# Status, words on stderr in one line, and no file.
refuses() { # status, words, name, arguments...
    want=$1 words=$2 name=$3
    shift 3
    "$weaksam" "$@" -o "$dir/no" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq "$want" ] && grep -q -e "$words" "$dir/stderr" && [ ! -s "$dir/stdout" ] && [ ! -e "$dir/no" ] &&
        [ "$(wc -l <"$dir/stderr")" -eq 1 ]
    verdict $? "refused: $name"
}

for i in 1 2 3; do "$weaksam" draw -o "$dir/images/$i.png" --size $((40 + 9 * i)),60; done
for mini in mask_rcnn_mini faster_rcnn_old_mini mask_rcnn_detectron2_mini; do
    "$weaksam" twin $mini -o "$dir/$mini.safetensors" &&
        "$weaksam" convert "$dir/$mini.safetensors" -o "$dir/$mini.wsam" --sides 64,96 --classes cat,dog,"tea pot" --quiet &&
        "$weaksam" verify "$dir/$mini.wsam" >/dev/null
    verdict $? "convert and verify $mini"
done
"$weaksam" inspect "$dir/mask_rcnn_mini.wsam" >"$dir/inspect" && grep -q detector_masks "$dir/inspect" && grep -q torchvision "$dir/inspect"
verdict $? "inspect shows the graphs and the rules"

"$weaksam" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images/1.png" -o "$dir/one.json" --min-score 0 --quiet &&
    grep -q '"name":"tea pot"' "$dir/one.json" && grep -q '"counts"' "$dir/one.json"
verdict $? "an image becomes a data set with masks and class names"
"$weaksam" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images" -o "$dir/all.json" --min-score 0 --overlay "$dir/drawn" 2>"$dir/stderr" &&
    grep -q '^3 images, .* 0 images failed$' "$dir/stderr" && [ "$(ls "$dir/drawn" | wc -l)" -eq 3 ] &&
    grep -q '"file_name":"3.png"' "$dir/all.json"
verdict $? "a folder, with overlays"
"$weaksam" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images" -o "$dir/one_thread.json" --min-score 0 --threads 1 --quiet &&
    cmp -s "$dir/all.json" "$dir/one_thread.json"
verdict $? "the same bytes with one thread"
"$weaksam" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images" -o "$dir/boxes.json" --min-score 0 --no-masks --max-per-image 4 --quiet &&
    [ "$(grep -o '"score"' "$dir/boxes.json" | wc -l)" -eq 12 ] && [ -s "$dir/images.json" ]
verdict $? "a results list of the best boxes"
"$weaksam" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images" -o "$dir/views.json" --min-score 0 --tta --scales 64,48 --quiet &&
    grep -q '"counts"' "$dir/views.json" && ! cmp -s "$dir/all.json" "$dir/views.json"
verdict $? "test-time augmentation"
"$weaksam" detect -m "$dir/faster_rcnn_old_mini.wsam" "$dir/images/2.png" -o "$dir/faster.json" --min-score 0 --quiet &&
    ! grep -q counts "$dir/faster.json"
verdict $? "a Faster R-CNN gives boxes"
"$weaksam" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images/1.png" --dump "$dir/dump.safetensors" --quiet &&
    head -c 3000 "$dir/dump.safetensors" | grep -aq '"fpn_0":{"dtype":"F32","shape":\[16,24,' &&
    ! head -c 3000 "$dir/dump.safetensors" | grep -aq class_logits
verdict $? "a dump has the maps"
"$weaksam" twin sam_vit_mini -o "$dir/sam.safetensors" && "$weaksam" convert "$dir/sam.safetensors" -o "$dir/sam.wsam" --image-size 256 --quiet
"$weaksam" detect -m "$dir/faster_rcnn_old_mini.wsam" "$dir/images" --sam "$dir/sam.wsam" -o "$dir/sam.json" --min-score 0 \
    --max-per-image 3 --overlay "$dir/drawn_sam" --quiet && grep -q '"predicted_iou"' "$dir/sam.json" && [ "$(ls "$dir/drawn_sam" | wc -l)" -eq 3 ]
verdict $? "boxes prompt a segmenter for masks"
printf 'no image' >"$dir/images/broken.png"
"$weaksam" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images" -o "$dir/rest.json" --min-score 0 2>"$dir/stderr"
[ $? -eq 1 ] && grep -q broken.png "$dir/stderr" && grep -q '^3 images, .* 1 images failed$' "$dir/stderr" &&
    grep -q '"file_name":"1.png"' "$dir/rest.json"
verdict $? "a broken image is named and counted, the others are detected in"

"$weaksam" twin tiny_vit_mini -o "$dir/s.safetensors" && "$weaksam" convert "$dir/s.safetensors" -o "$dir/s.wsam" --image-size 256 --quiet
refuses 1 'give --head' "a segmenter without a head" detect -m "$dir/s.wsam" "$dir/images/1.png"
refuses 1 'broken.png' "one broken image" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images/broken.png"
refuses 2 'belong to --head' "options of a head" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images/1.png" --masks
refuses 2 'belong to --tta' "views without --tta" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images/1.png" --no-mirror
refuses 2 'expected sides of 32' "a view that is too large" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images/1.png" --tta --scales 3000
refuses 2 'leave --tta out' "a dump of many views" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images/1.png" --tta --dump "$dir/no"
refuses 2 'rois belongs' "rois without a dump" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images/1.png" --rois x
refuses 2 'expected -m' "no image" detect -m "$dir/mask_rcnn_mini.wsam"
refuses 1 "expected a tensor 'rois'" "a file without rois" detect -m "$dir/mask_rcnn_mini.wsam" "$dir/images/1.png" --dump "$dir/no" --rois "$dir/dump.safetensors"
refuses 1 '2 class names for 3 classes' "too few class names" convert "$dir/mask_rcnn_mini.safetensors" --classes cat,dog
refuses 1 "no backbones of Caffe" "torchvision of Caffe's style" convert "$dir/mask_rcnn_mini.safetensors" --backbone-style caffe
refuses 1 'no detector' "rules for what is no detector" convert "$dir/s.safetensors" --sides 64,96

# MIST scores proposals.
"$weaksam" twin mist_mini -o "$dir/mist.safetensors" && "$weaksam" convert "$dir/mist.safetensors" -o "$dir/mist.wsam" --classes cat,dog,cow --quiet
echo '{"image":"1.png","width":49,"height":60,"proposals":[{"box":[2,3,40,50],"score":1,"source":"grid"},{"box":[10,10,45,33],"score":1,"source":"grid"}]}' >"$dir/boxes.jsonl"
"$weaksam" score "$dir/boxes.jsonl" -m "$dir/mist.wsam" --images "$dir/images" --scales 64,96 -o "$dir/scores.json" \
    --dump "$dir/views.safetensors" --quiet && grep -q '"category_id":3' "$dir/scores.json" &&
    head -c 500 "$dir/views.safetensors" | grep -aq '"scores":{"dtype":"F32","shape":\[2,4\]'
verdict $? "score with MIST"
refuses 2 'images DIR' "MIST without images" score "$dir/boxes.jsonl" -m "$dir/mist.wsam"
refuses 1 'no MIST' "a detector as a scorer" score "$dir/boxes.jsonl" -m "$dir/mask_rcnn_mini.wsam" --images "$dir/images"
refuses 1 '1.png' "proposals of an image that is not there" score "$dir/boxes.jsonl" -m "$dir/mist.wsam" --images "$dir/drawn"

# A run with MIST's scores; its classes are found by their names.
rm -f "$dir/images/broken.png"
"$weaksam" twin weaktr_plain_mini -o "$dir/clues.safetensors" &&
    "$weaksam" convert "$dir/clues.safetensors" -o "$dir/clues.wsam" --classes cow,dog,cat --quiet
printf 'image,class\n1.png,cat\n2.png,dog\n3.png,cow\n' >"$dir/labels.csv"
"$weaksam" run "$dir/images" --labels "$dir/labels.csv" -m "$dir/sam.wsam" --clue-model "$dir/clues.wsam" \
    --scorer "$dir/mist.wsam" --points-per-side 3 --sources grid --pred-iou-thresh 0 --stability-score-thresh 0 --clue-max-side 64 \
    -o "$dir/run" --quiet 2>"$dir/stderr" && [ -s "$dir/run/scores.json" ] && [ -s "$dir/run/masks.json" ]
verdict $? "a run with MIST's scores"
"$weaksam" convert "$dir/mist.safetensors" -o "$dir/other.wsam" --classes cat,dog,pig --quiet
"$weaksam" run "$dir/images" --labels "$dir/labels.csv" -m "$dir/sam.wsam" --clue-model "$dir/clues.wsam" \
    --scorer "$dir/other.wsam" -o "$dir/run2" --quiet 2>"$dir/stderr"
[ $? -ne 0 ] && grep -q "does not know the class 'cow'" "$dir/stderr" && [ ! -e "$dir/run2" ]
verdict $? "refused: a scorer without a class of the run"
rm -rf "$dir"
