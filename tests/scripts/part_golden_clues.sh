# The golden tensors of the clue network, where they are at hand: in $WEAKSAM_GOLDEN, or in
# ../shared/golden beside the project.
golden=${WEAKSAM_GOLDEN:-../shared/golden}
if [ ! -d "$golden" ]; then
    echo "ok - golden clue maps # SKIP there is no folder $golden (WEAKSAM_GOLDEN names another)"
    exit 0
fi
rm -rf "$1/golden_clues"
mkdir -p "$1/golden_clues"
"$1/tests/golden_clues" "$golden" "$1/golden_clues"
status=$?
rm -rf "$1/golden_clues"
exit $status
