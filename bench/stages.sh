#!/bin/sh
# Seconds per picture and stage of the full WeakSAM prompt set (1024 grid points, clue points and box prompts) on your pictures, two
# classes given for each. Models of published sizes, MobileSAM and WeakTr on DeiT-S, int8, with stand-in weights derived from tensor
# names: what they say means nothing, and how many masks pass the filters depends on them, but every prompt is run.
#
# usage: bench/stages.sh PICTURES [OPTION OF weaksam run...]        BUILD (build), MODELS (build/bench-models: kept)
set -eu
pictures=${1:?usage: bench/stages.sh PICTURES [OPTION...]}
shift
weaksam=${BUILD:-build}/weaksam
models=${MODELS:-${BUILD:-build}/bench-models}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir -p "$models"

model() { # family, options of convert
    family=$1
    shift
    [ -f "$models/$family.stages.wsam" ] && return
    "$weaksam" twin "$family" -o "$out/$family.safetensors"
    "$weaksam" convert "$out/$family.safetensors" -o "$models/$family.stages.wsam" --type int8 --quiet "$@"
    rm "$out/$family.safetensors"
}
model mobile_sam
model weaktr --classes a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t

echo image,classes >"$out/labels.csv"
for file in "$pictures"/*.jpg "$pictures"/*.png; do
    [ -f "$file" ] && echo "$(basename "$file"),a,b" >>"$out/labels.csv"
done
"$weaksam" run "$pictures" --labels "$out/labels.csv" -m "$models/mobile_sam.stages.wsam" \
    --clue-model "$models/weaktr.stages.wsam" -o "$out/run" "$@"
