# The commands of docs/tutorial.md on drawn pictures, as they stand in the document. Sourced by part_tutorial.sh and docs/tutorial.sh.
#
# tutorial_begin BUILD FOLDER COUNT   photos, labels.csv and sam.wsam; a `weaksam` that goes before the real one on the PATH and plays the
#                                     person: a review is done by tests/scripts/review_person.py, a run gets a small grid
# tutorial_commands                   the commands, a line each

tutorial_begin() {
    root=$(pwd)
    real=$root/$1/weaksam
    folder=$2
    rm -rf "$folder"
    mkdir -p "$folder/bin"
    "$1/demo/scenes" -o "$folder/drawn" --count "$3" --seed 77 --size 256,192 --classes new >/dev/null
    mv "$folder/drawn/images" "$folder/photos"
    cp "$folder/drawn/labels.csv" "$folder/labels.csv"
    cp weights/demo/segmenter.wsam "$folder/sam.wsam"
    cat >"$folder/bin/weaksam" <<EOF
#!/bin/sh
case \$1 in
review) exec python3 $root/tests/scripts/review_person.py $real "\$2" photos drawn/instances.json "\${TUTORIAL_REVIEWED:-8}" sam.wsam ;;
run)
    shift
    exec $real run "\$@" --points-per-side 8 --quiet ;;
*) exec $real "\$@" ;;
esac
EOF
    chmod +x "$folder/bin/weaksam"
}

tutorial_commands() {
    sed -n '/^```sh$/,/^```$/p' docs/tutorial.md | grep -v '^```'
}
