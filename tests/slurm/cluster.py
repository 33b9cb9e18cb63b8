"""A Slurm cluster of four nodes on this machine: munged, slurmctld, and a slurmd in a PID namespace of
its own for each node. Nothing of the machine's own configuration is used or changed."""
import os
import shutil
import signal
import socket
import subprocess
import time

NODES = ["n1", "n2", "n3", "n4"]
GRACE = 8
NEEDS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol", "unshare")

CONF = """\
ClusterName=weaksam
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={top}/munge/socket,cred_expire=5
StateSaveLocation={top}/state
SlurmdSpoolDir={top}/spool/%n
SlurmctldPidFile={top}/slurmctld.pid
SlurmdPidFile={top}/%n.pid
SlurmctldLogFile={top}/log/slurmctld
SlurmdLogFile={top}/log/%n
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmdTimeout=30
BatchStartTimeout=3
KillWait=5
UnkillableStepTimeout=90
ReturnToService=2
JobRequeue=1
MinJobAge=300
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2,default_queue_depth=200
NodeName=n[1-4] NodeAddr=127.0.0.1 NodeHostname={host} Port=[{first}-{last}] CPUs=1 RealMemory=4000
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 GraceTime={grace} PreemptMode=REQUEUE MaxTime=INFINITE
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE
"""


class Unavailable(Exception):
    """Slurm cannot be started here."""


class Cluster:
    def __init__(self, top, port):
        self.top, self.slurmds, self.daemons = top, {}, []
        for folder in ("state", "spool", "log", "munge"):
            os.makedirs(f"{top}/{folder}", mode=0o755 if folder != "munge" else 0o711)
        with open(f"{top}/munge/key", "wb") as f:
            f.write(os.urandom(1024))
        os.chmod(f"{top}/munge/key", 0o600)
        conf = CONF.format(host=socket.gethostname().split(".")[0], port=port, first=port + 1, last=port + 4, top=top, grace=GRACE)
        with open(f"{top}/slurm.conf", "w") as f:
            f.write(conf)
        self.env = dict(os.environ, SLURM_CONF=f"{top}/slurm.conf")

    def daemon(self, name, *argv):
        with open(f"{self.top}/log/{name}.out", "ab") as log:
            p = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.env, start_new_session=True)
        self.daemons.append(p)
        return p

    def start(self):
        munge = f"{self.top}/munge"
        self.daemon("munged", "munged", "--foreground", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket",
                    f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed")
        wait_for(lambda: os.path.exists(munge + "/socket"), 10, "munged does not start")
        controller = self.daemon("slurmctld", "slurmctld", "-D", "-f", f"{self.top}/slurm.conf")
        for node in NODES:
            self.start_node(node)
        wait_for(lambda: controller.poll() is not None or self.all_idle(), 60, "the nodes do not come up")
        if controller.poll() is not None:
            raise Unavailable(f"slurmctld ends at once, see {self.top}/log/slurmctld")

    def start_node(self, node):
        """The shell is the namespace's first process: it takes the orphans that slurmd would leave as zombies."""
        self.slurmds[node] = self.daemon(node, "unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", '"$@" & wait',
                                         "init", "slurmd", "-D", "-N", node, "-f", f"{self.top}/slurm.conf")

    def kill_node(self, node):
        """Everything in its PID namespace: slurmd, the steps, the tasks."""
        self.slurmds[node].send_signal(signal.SIGKILL)
        self.slurmds[node].wait()

    def all_idle(self):
        states = self.call("sinfo", "-h", "-N", "-o", "%T").split()
        return len(states) >= len(NODES) and set(states) == {"idle"}

    def call(self, *argv, check=False):
        p = subprocess.run(argv, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        if check and p.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {p.stdout}")
        return p.stdout.strip()

    def stop(self):
        for p in self.daemons:
            if p.poll() is None:
                p.kill()
        for p in self.daemons:
            p.wait()


def wait_for(condition, seconds, message):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Unavailable(message)
        time.sleep(0.2)


def make_cluster(top, port):
    missing = [n for n in NEEDS if not shutil.which(n, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    if missing:
        raise Unavailable("not installed: " + " ".join(missing))
    if os.geteuid() != 0:
        raise Unavailable("not root")
    if subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], stderr=subprocess.DEVNULL).returncode:
        raise Unavailable("no PID namespaces")
    shutil.rmtree(top, ignore_errors=True)
    cluster = Cluster(top, port)
    try:
        cluster.start()
    except BaseException:
        cluster.stop()
        raise
    return cluster
