# The golden tensors of the detectors, where they are at hand: in $WEAKSAM_GOLDEN, or in
# ../shared/golden beside the project.
golden=${WEAKSAM_GOLDEN:-../shared/golden}
if [ ! -d "$golden" ]; then
    echo "ok - golden detector # SKIP there is no folder $golden (WEAKSAM_GOLDEN names another)"
    exit 0
fi
rm -rf "$1/golden_detector"
mkdir -p "$1/golden_detector"
"$1/tests/golden_detector" "$golden" "$1/golden_detector"
status=$?
rm -rf "$1/golden_detector"
exit $status
