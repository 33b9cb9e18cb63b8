# The mini models by oneDNN against our own kernels, at every level of this machine and with all that
# oneDNN can use here. A process each: oneDNN's level is settled once in a process.
build=$1
case $("$build/weaksam" inspect --json --backend onednn "$build/mini/sam_mini.wsam" 2>&1) in
*"no oneDNN backend"*)
    echo "ok - oneDNN backend # SKIP built without it (Debian package libdnnl-dev)"
    exit 0
    ;;
esac
status=0
for isa in avx2 avxvnni avx512 avx512vnni avx512bf16; do
    "$build/weaksam" kernels --json | grep -q "\"$isa\":{\"supported\":true" || continue
    "$build/tests/mini_run" "$build/mini" --backend onednn --isa $isa || status=1
done
"$build/tests/mini_run" "$build/mini" --backend onednn || status=1
exit $status
