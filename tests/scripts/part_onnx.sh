# weaksam export-onnx: what the command says and leaves, and ONNX Runtime beside our own result where Python has it
# (PEER_PYTHON names the interpreter).
build=$1
weaksam=$build/weaksam
dir=$build/tests/onnx
python=${PEER_PYTHON:-python3}
rm -rf "$dir"
mkdir -p "$dir/photos"

verdict() { # exit status, name
    if [ "$1" -eq 0 ]; then echo "ok - onnx: $2"; else echo "not ok - onnx: $2"; fi
}
refuses() { # status, words, name, arguments
    want=$1 words=$2 name=$3
    shift 3
    "$weaksam" export-onnx "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    { [ $status -eq "$want" ] && grep -q "$words" "$dir/stderr"; } || { sed 's/^/# /' "$dir/stderr"; false; }
    verdict $? "$name"
}

for m in sam_mini tiny_mini efficient_mini sam_mini_bf16 sam_mini_int8; do
    "$weaksam" export-onnx "$build/mini/$m.wsam" -o "$dir/$m" >"$dir/stdout" && grep -q '^mask_decoder .* nodes, .* MB$' "$dir/stdout"
    verdict $? "$m as a folder"
done
"$weaksam" export-onnx "$build/mini/sam_mini.wsam" -o "$dir/e.onnx" --json >"$dir/stdout" &&
    cmp "$dir/e.onnx" "$dir/sam_mini/image_encoder.onnx" &&
    grep -q '^{"graph":"image_encoder","nodes":[0-9]*,"bytes":[0-9]*,"external_data":false}$' "$dir/stdout"
verdict $? 'the encoder as a file, the same bytes'
"$weaksam" draw --size 256,256 -o "$dir/photos/a.png"
"$weaksam" export-onnx "$build/mini/sam_mini_int8.wsam" -o "$dir/measured" --calibrate "$dir/photos" --external-data --quiet &&
    [ -s "$dir/measured/image_encoder.onnx.data" ]
verdict $? 'int8 with measured ranges and a data file'
refuses 1 "no graph 'x'" 'an unknown graph' "$build/mini/sam_mini.wsam" -o "$dir/none" --graph x
refuses 1 'no PNG or JPEG' 'calibration without images' "$build/mini/sam_mini_int8.wsam" -o "$dir/none" --calibrate "$dir/sam_mini"
refuses 2 'expected 1, 3 or 4' 'candidates' "$build/mini/sam_mini.wsam" -o "$dir/none" --candidates 2
refuses 2 'expected one weight file' 'no output' "$build/mini/sam_mini.wsam"
[ ! -e "$dir/none" ]
verdict $? 'and nothing is left behind'

if ! "$python" -c 'import onnxruntime' 2>/dev/null; then
    echo "ok - onnx: ONNX Runtime beside ours # SKIP $python has no onnxruntime (PEER_PYTHON names another)"
    exit 0
fi
beside() { # folder, model, tolerance
    "$python" tests/scripts/onnx_compare.py "$weaksam" "$build/mini/$2.wsam" "$dir/$1" "$3" 2>"$dir/stderr" || { sed 's/^/# /' "$dir/stderr"; false; }
    verdict $? "ONNX Runtime gets our result from $1, within $3"
}
for m in sam_mini tiny_mini efficient_mini; do beside $m $m 1e-4; done
# our own bf16 and int8 parts round where ONNX Runtime has f32
beside sam_mini_bf16 sam_mini_bf16 2e-2
beside sam_mini_int8 sam_mini_int8 2e-2
beside measured sam_mini_int8 5e-2
if "$python" -c 'import onnx' 2>/dev/null; then
    "$python" -c 'import onnx, sys
for path in sys.argv[1:]: onnx.checker.check_model(path, full_check=True)' "$dir"/*/*.onnx
    verdict $? "onnx's own checker has no complaint"
else
    echo "ok - onnx: onnx's own checker # SKIP $python has no onnx"
fi
