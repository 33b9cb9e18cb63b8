#!/bin/bash
# make check-deploy: the launch scripts of deploy/ other than Slurm's (tests/slurm), as far as one machine
# can try them: GNU parallel over ssh to two machines that are network namespaces with an sshd each, mpirun of
# Open MPI, and the commands of the Kubernetes manifests with the environment that an Indexed Job gives, after
# the manifests were held against the schema. What cannot be tried says so.
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$build/tests/deploy
rm -rf "$dir"
mkdir -p "$dir"
cp "$build/weaksam" "$dir/weaksam"
weaksam=$dir/weaksam
failed=0

verdict() { # status, name
    if [ "$1" -eq 0 ]; then echo "ok - $2"; else echo "not ok - $2"; failed=1; fi
}

"$build/demo/scenes" -o "$dir/set" --count 24 --seed 7 --size 96,72 >/dev/null || exit 1
arguments=("$dir/set/images" --labels "$dir/set/labels.csv" -m "$root/weights/demo/segmenter.wsam"
    --clue-model "$root/weights/demo/clues.wsam" --points-per-side 2 --clue-max-side 32 --no-mirror --threads 1)
"$weaksam" run "${arguments[@]}" -o "$dir/plain" --quiet >/dev/null || exit 1

same() { # folder
    for file in points.jsonl proposals.jsonl scores.json images.json pgt.json masks.json failures.jsonl final.json; do
        cmp "$dir/plain/$file" "$1/$file" || return 1
    done
}

# ---- GNU parallel over ssh ----

hosts=
cleanup() {
    for n in 1 2; do
        [ -s "$dir/sshd$n.pid" ] && kill "$(cat "$dir/sshd$n.pid")" 2>/dev/null
        ip netns del weaksam$n 2>/dev/null
    done
}
trap cleanup EXIT
start_host() { # number: a network namespace with an sshd
    ip netns add weaksam$1 &&
        ip link add weaksam$1 type veth peer name eth0 netns weaksam$1 &&
        ip addr add 10.213.$1.1/24 dev weaksam$1 && ip link set weaksam$1 up &&
        ip -n weaksam$1 addr add 10.213.$1.2/24 dev eth0 && ip -n weaksam$1 link set eth0 up && ip -n weaksam$1 link set lo up &&
        ip netns exec weaksam$1 "$(PATH=$PATH:/usr/sbin command -v sshd)" -f "$dir/sshd_config" -o PidFile="$dir/sshd$1.pid" -E "$dir/sshd$1.log" -p 2222
}
if [ "$(id -u)" = 0 ] && command -v ip ssh parallel >/dev/null && mkdir -p /run/sshd; then
    ssh-keygen -q -t ed25519 -N '' -f "$dir/key" && ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
    cp "$dir/key.pub" "$dir/authorized"
    chmod 600 "$dir/authorized"
    printf '%s\n' "HostKey $dir/host" "AuthorizedKeysFile $dir/authorized" 'StrictModes no' 'UsePAM no' 'PasswordAuthentication no' \
        'PermitRootLogin prohibit-password' 'MaxStartups 100' >"$dir/sshd_config"
    start_host 1 2>"$dir/netns.log" && start_host 2 2>>"$dir/netns.log" && hosts=2/10.213.1.2,2/10.213.2.2
fi
if [ -n "$hosts" ]; then
    export SSH="ssh -p 2222 -i $dir/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    HOSTS=$hosts WEAKSAM=$weaksam "$root/deploy/parallel/run.sh" 6 "${arguments[@]}" -o "$dir/parallel" >"$dir/parallel.log" 2>&1
    status=$?
    [ $status -eq 0 ] || tail -n 20 "$dir/parallel.log" | sed 's/^/# /'
    verdict $status 'GNU parallel: six shards over ssh to two hosts'
    same "$dir/parallel" && [ "$(grep -c 'Accepted publickey' "$dir/sshd1.log")" -gt 0 ] && [ "$(grep -c 'Accepted publickey' "$dir/sshd2.log")" -gt 0 ]
    verdict $? 'GNU parallel: the files of a plain run, and both hosts worked'
    # One host goes away in the middle.
    HOSTS=$hosts WEAKSAM=$weaksam "$root/deploy/parallel/run.sh" 6 "${arguments[@]}" -o "$dir/lost" --lease-seconds 3 >"$dir/lost.log" 2>&1 &
    launcher=$!
    while kill -0 $launcher 2>/dev/null && [ "$(cat "$dir"/lost/state/*.journal 2>/dev/null | wc -c)" -lt 2000 ]; do sleep 0.1; done
    for p in $(ip netns pids weaksam2); do kill -KILL "$p"; done
    wait $launcher
    status=$?
    [ $status -eq 0 ] || tail -n 20 "$dir/lost.log" | sed 's/^/# /'
    same "$dir/lost"
    verdict $((status + $?)) 'GNU parallel: a host that dies is done without'
    unset SSH
else
    echo "skipped: GNU parallel over ssh: wants root, network namespaces, ssh, sshd and parallel ($(tail -n 1 "$dir/netns.log" 2>/dev/null))"
fi

# ---- MPI ----

if command -v mpirun >/dev/null; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    WEAKSAM=$weaksam "$root/deploy/mpi/run.sh" -n 4 --oversubscribe -- "${arguments[@]}" -o "$dir/mpi" >"$dir/mpi.log" 2>&1
    status=$?
    [ $status -eq 0 ] || tail -n 20 "$dir/mpi.log" | sed 's/^/# /'
    grep -q 'shard 3/4: by OMPI_COMM_WORLD_RANK' "$dir/mpi.log"
    verdict $((status + $?)) 'Open MPI: four ranks, four shards'
    same "$dir/mpi"
    verdict $? 'Open MPI: the files of a plain run'
else
    echo 'skipped: no mpirun (Debian: openmpi-bin)'
fi

# ---- Kubernetes ----

python3 -m venv "$dir/venv" >/dev/null 2>&1 && "$dir/venv/bin/pip" install -q kubernetes-validate >"$dir/pip.log" 2>&1
if [ -x "$dir/venv/bin/kubernetes-validate" ]; then
    "$dir/venv/bin/kubernetes-validate" --strict "$root"/deploy/kubernetes/*.yaml >"$dir/kubernetes.log" 2>&1
    status=$?
    sed 's/^/# /' "$dir/kubernetes.log"
    verdict $status 'Kubernetes: the manifests fit the schema'
    # The command and arguments of the container, with paths of this machine in place of the volumes.
    "$dir/venv/bin/python" - "$root/deploy/kubernetes" "$dir" <<'END'
import shlex, sys, yaml
for name in ("run", "merge"):
    with open(f"{sys.argv[1]}/{name}.yaml") as f:
        job = yaml.safe_load(f)
    c = job["spec"]["template"]["spec"]["containers"][0]
    if name == "run":
        assert f"--shard=auto/{job['spec']['completions']}" in c["args"]
    words = c["command"] + c["args"]
    print(" ".join(map(shlex.quote, words)), file=open(f"{sys.argv[2]}/{name}.command", "w"))
END
    verdict $? 'Kubernetes: as many shards as completions'
    container() { # which, number of shards
        eval "set -- $(sed -e "s|/data/photos|$dir/set/images|; s|/data/labels.csv|$dir/set/labels.csv|; s|/data/out|$dir/kubernetes|" \
            -e "s|/models/sam.wsam|$root/weights/demo/segmenter.wsam|; s|/models/clues.wsam|$root/weights/demo/clues.wsam|" \
            -e "s|auto/100|auto/3|; s|^weaksam|'$weaksam'|" "$dir/$1.command") --points-per-side 2 --clue-max-side 32 --no-mirror --threads 1"
        "$@"
    }
    status=0
    for index in 2 0 1; do
        JOB_COMPLETION_INDEX=$index container run >"$dir/pod$index.log" 2>&1 || status=1
        grep -q "shard $index/3: by JOB_COMPLETION_INDEX" "$dir/pod$index.log" || status=1
    done
    [ $status -eq 0 ] || tail -n 5 "$dir"/pod?.log | sed 's/^/# /'
    verdict $status 'Kubernetes: the command of each pod'
    container merge >"$dir/merge.log" 2>&1
    verdict $? 'Kubernetes: the command of the job behind them'
    same "$dir/kubernetes"
    verdict $? 'Kubernetes: the files of a plain run'
else
    echo "skipped: kubernetes-validate cannot be installed ($(tail -n 1 "$dir/pip.log" 2>/dev/null))"
fi
exit $failed
