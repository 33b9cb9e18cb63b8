# The golden tensors of the frozen backbones, where they are at hand: in $WEAKSAM_GOLDEN, or in
# ../shared/golden beside the project.
golden=${WEAKSAM_GOLDEN:-../shared/golden}
if [ ! -d "$golden" ]; then
    echo "ok - golden backbones # SKIP there is no folder $golden (WEAKSAM_GOLDEN names another)"
    exit 0
fi
rm -rf "$1/golden_backbones"
mkdir -p "$1/golden_backbones"
"$1/tests/golden_backbones" "$golden" "$1/golden_backbones"
status=$?
rm -rf "$1/golden_backbones"
exit $status
