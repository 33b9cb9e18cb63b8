# weaksam bench: rows, tables and refusals as a user meets them. No test looks at a time.
build=$1
weaksam=$build/weaksam
dir=$build/tests/bench
model=$build/mini/tiny_mini.wsam
rm -rf "$dir"
mkdir -p "$dir/photos" "$dir/tmp"

verdict() { # exit status, name
    if [ "$1" -eq 0 ]; then echo "ok - bench: $2"; else echo "not ok - bench: $2"; fi
}
bench() { # status wanted, name, arguments
    want=$1 name=$2
    shift 2
    "$weaksam" bench "$@" >"$dir/stdout" 2>"$dir/stderr"
    status=$?
    [ $status -eq "$want" ] || { echo "# status $status"; sed 's/^/# /' "$dir/stderr"; false; }
    verdict $? "$name"
}
says() { # words, name
    grep -q -e "$1" "$dir/stdout" "$dir/stderr" || { sed 's/^/# /' "$dir/stdout" "$dir/stderr"; false; }
    verdict $? "$2"
}

for i in 1 2; do "$weaksam" draw --size 200,150 -o "$dir/photos/$i.png"; done
bench 0 'a table' -m "$model" --runs 1 --prompts 1,2 --picture "$dir/photos"
says '^encode+prompts *2 Offline ' 'with a line per region, prompts and scenario'
says '^clock [0-9.]* GHz, f32 register loop [0-9]* GFLOP/s' 'clock and register loop'
bench 0 'everything' -m "$model" --runs 1 --what everything --scenario SingleStream --json
says '"prompts":1024,"scenario":"SingleStream","batch":1,"timed_region":"everything"' 'with its protocol'
bench 0 'rows' -m "$model" --runs 1 --threads 2 --what encoder,decoder --prompts 4 --json --watts 20 --price 0.1
[ "$(wc -l <"$dir/stdout")" -eq 4 ]
verdict $? 'one per region and scenario'
says '"watts":20,"joules_per_image":[0-9.]*,"price_per_hour":0.1,"kind":"measured","date":"20' 'power, price and date'
cp "$dir/stdout" "$dir/rows.jsonl"
bench 0 'scaling' -m "$model" --runs 1 --threads 2 --scaling --svg "$dir/scaling.svg" --quiet
grep -q '</svg>' "$dir/scaling.svg"
verdict $? 'drawn'
bench 1 'a chart that cannot be written' -m "$model" --runs 1 --svg "$dir/none/scaling.svg"
says 'none/scaling.svg: No such file' 'is named'
[ ! -s "$dir/stdout" ]
verdict $? 'before anything is measured'
bench 0 'scaling again' -m "$model" --runs 1 --threads 2 --scaling --json
[ "$(wc -l <"$dir/stdout")" -eq 5 ]
verdict $? 'one thread is measured once for sessions and processes'
cp "$dir/stdout" "$dir/scaling.jsonl"
bench 0 'scaling drawn from its rows' compare "$dir/scaling.jsonl" --format scaling -o "$dir/again.svg"
grep -q 'sessions of one thread' "$dir/again.svg"
verdict $? 'as a chart'
"$weaksam" bench compare "$dir/rows.jsonl" --select timed_region=decoder --select scenario=Offline --format csv |
    grep -q '"weaksam",1,1,2,.*"weaksam bench -m tiny_mini.wsam --threads 2 --what decoder --prompts 4 --scenario Offline --runs 1"'
verdict $? 'Offline decoding is a session per core, and the row has its command'
bench 1 'protocols that differ are refused' compare "$dir/rows.jsonl"
says 'differ in scenario SingleStream and Offline: not comparable; choose rows by --select' 'and named, with the way out'
for other in resolution=512 prompts=7 timed_region=encode batch=8; do
    field=${other%=*}
    head -n 1 "$dir/rows.jsonl" >"$dir/two.jsonl"
    sed "s/\"$field\":[^,]*/\"$field\":$(echo "${other#*=}" | sed 's/[a-z].*/"&"/')/" "$dir/two.jsonl" >"$dir/other.jsonl"
    bench 1 "another $field is refused" compare "$dir/two.jsonl" "$dir/other.jsonl"
    says "differ in $field [^ ]* and ${other#*=}: not comparable" 'and named'
done
bench 0 'rows of one protocol are compared' compare "$dir/two.jsonl" "$dir/two.jsonl"
bench 0 'selected rows are compared' compare "$dir/rows.jsonl" --select timed_region=encoder --across scenario -o "$dir/c.md"
grep -q '^| .* | weaksam | f32 | .* | Offline | 1 x .* measured 20' "$dir/c.md"
verdict $? 'in a table'
bench 0 'published rows and prices load' compare bench/baselines/published.jsonl \
    --select timed_region=encoder --select scenario=SingleStream --price bench/baselines/prices.tsv --format csv
bench 1 'scaling of two timed regions' compare "$dir/rows.jsonl" --format scaling
says 'one device, runtime, model, type and timed region' 'is refused'
for bad in '--what ""' '--labels x' '--scaling --what encode' '--profile --scaling' '--timing'; do
    eval "bench 2 'refused: $bad' -m \"$model\" --runs 1 $bad"
done
bench 2 'half a machine' scale --machines 1.5
bench 2 'half a process' scale --processes 1.5
bench 1 'an unknown field' compare "$dir/rows.jsonl" --select colour=red
bench 2 'an unknown region' -m "$model" --what nothing
bench 2 'no rows' compare
bench 2 'a run without labels' -m "$model" --run "$dir/photos"
bench 1 'a model that is not there' -m "$dir/none.wsam"
says 'none.wsam' 'is named'

clues=$build/tests/bench/clues.wsam
"$weaksam" twin weaktr_mini -o "$dir/t.safetensors" && "$weaksam" convert "$dir/t.safetensors" -o "$clues" --classes voc --quiet
printf 'image,class\n1.png,cat\n2.png,dog\n' >"$dir/labels.csv"
TMPDIR=$dir/tmp
export TMPDIR
bench 0 'the stages of a run' -m "$model" --run "$dir/photos" --labels "$dir/labels.csv" --clue-model "$clues" --json --price 0.1
says '"timed_region":"run"' 'as a whole'
says '"price_per_hour":0.1,' 'with its price'
says '"timed_region":"run/propose"' 'and one by one'
[ -z "$(ls -A "$dir/tmp")" ]
verdict $? 'and nothing is left behind'

rm -rf "$dir/again"
mkdir "$dir/again"
cp -r bench "$dir/again/bench"
python3 "$dir/again/bench/baselines/published.py" && python3 "$dir/again/bench/results.py" "$weaksam" &&
    diff -r -x __pycache__ bench "$dir/again/bench" >"$dir/stdout" || { sed 's/^/# /' "$dir/stdout" | head -20; false; }
verdict $? 'bench/RESULTS.md, its charts and the published rows are what their sources give (make results)'
python=${PEER_PYTHON:-python3}
if "$python" -c 'import torch' 2>/dev/null; then
    for bad in '--type int8' '--what nothing' '--model none' '--batch 0'; do
        eval "\"$python\" bench/baselines/torch_row.py --device cpu $bad" >"$dir/stdout" 2>"$dir/stderr"
        [ $? -eq 2 ] && [ ! -s "$dir/stdout" ]
        verdict $? "PyTorch's runner refuses $bad"
    done
else
    echo "ok - bench: PyTorch's runner # SKIP $python has no torch (PEER_PYTHON names another)"
fi
