#!/bin/sh
# Holds the simulation against real runs of 1, 2 and 4 processes on this machine, which must be quiet:
#
#   tests/scale/measure.sh BUILD [IMAGES] [ROUNDS]
#
# Seconds of an image and of a start come from the run of one process; cores from nproc. A row for each: measured,
# predicted, and the difference, which is to be below 10 %. Files are in memory where there is such a folder (TMPDIR names
# another): these images take 30 ms, of which the wait for a disk would be a tenth for one process and a quarter for two.
build=$1 images=${2:-200} rounds=${3:-3}
here=$(cd "$(dirname "$0")/../.." && pwd)
[ -n "${TMPDIR:-}" ] || ! [ -w /dev/shm ] || export TMPDIR=/dev/shm
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
weaksam=$build/weaksam
"$build/demo/scenes" -o "$dir/set" --count "$images" --seed 7 --size 96,72 >/dev/null || exit 1

now() { date +%s.%N; }
# Wall seconds of a whole run in so many processes; its status files stay in $dir/out.
measure() {
    rm -rf "$dir/out"
    from=$(now)
    i=0
    while [ $i -lt "$1" ]; do
        "$weaksam" run "$dir/set/images" --labels "$dir/set/labels.csv" -m "$here/weights/demo/segmenter.wsam" \
            --clue-model "$here/weights/demo/clues.wsam" --points-per-side 2 --clue-max-side 32 --no-mirror --threads 1 \
            -o "$dir/out" --shard $i/"$1" --no-merge --quiet >/dev/null &
        i=$((i + 1))
    done
    wait
    awk -v a="$from" -v b="$(now)" 'BEGIN { printf "%.3f\n", b - a }'
}
# The first number of that name: the slowest image has seconds, too.
value() { tr ',{' '\n\n' <"$dir/out/.status/0-of-1.json" | sed -n "s/^\"$1\":\([0-9.]*\)$/\1/p" | head -n 1; }

failed=0
round=0
while [ $round -lt "$rounds" ]; do
    for processes in 1 2 4; do
        took=$(measure $processes)
        if [ $processes = 1 ]; then
            image=$(awk -v s="$(value seconds)" -v n="$(value fresh)" 'BEGIN { print s / n }')
            spread=$(awk -v mean="$image" -v median="$(value seconds_per_image)" 'BEGIN { r = mean / median; print (r > 1 ? sqrt(2 * log(r)) : 0) }')
            begin=$(awk -v t="$took" -v s="$(value seconds)" 'BEGIN { print t - s }')
        fi
        said=$("$weaksam" bench scale --images "$images" --machines 1 --processes $processes --cores "$(nproc)" --image-seconds "$image" \
            --image-spread "$spread" --start-seconds "$begin" --load-seconds 0 --launches-per-second 1000 --slow-share 0 \
            --server-bandwidth 1e12 --machine-bandwidth 1e12 --server-operations 1e9 --image-bytes 5000 --json |
            sed -n 's/.*"work_s":\([0-9.e+]*\).*/\1/p')
        awk -v p=$processes -v t="$took" -v s="$said" 'BEGIN {
            d = 100 * (s - t) / t
            printf "%d processes: measured %.2f s, simulated %.2f s, %+.1f %%\n", p, t, s, d
            exit d < -10 || d > 10 }' || failed=1
    done
    round=$((round + 1))
done
exit $failed
