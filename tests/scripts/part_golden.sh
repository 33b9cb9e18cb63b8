# The golden tensors of the published sizes, where they are at hand: in $WEAKSAM_GOLDEN, or in
# ../shared/golden beside the project. The models take 1.7 GB of disk for the time of the test.
golden=${WEAKSAM_GOLDEN:-../shared/golden}
if [ ! -d "$golden" ]; then
    echo "ok - golden tensors # SKIP there is no folder $golden (WEAKSAM_GOLDEN names another)"
    exit 0
fi
rm -rf "$1/golden"
mkdir -p "$1/golden"
"$1/tests/golden_run" "$golden" "$1/golden"
status=$?
rm -rf "$1/golden"
exit $status
