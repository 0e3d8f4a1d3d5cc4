"""A real Slurm of several nodes on one machine, in a folder of its own: for tests and for trying things out.

    python tests/slurm/cluster.py up      start it, say how to use it
    python tests/slurm/cluster.py down    end it and everything that runs on it, remove its folder

Needs slurmctld, slurmd, slurm-client and munge (Debian's packages of these names); no root, no system services, no
control groups, no database, nothing outside the folder. Nodes are slurmd processes with cores, memory and GPUs that
they only claim to have: jobs are scheduled by them, and decode on the cores that are there.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
INSTALL = "apt-get install --no-install-recommends slurmctld slurmd slurm-client munge"
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
# Everything that belongs to a cluster carries its folder in this variable, so that it can be found and ended.
MARK = "AUDIOGRID_TEST_CLUSTER"
# Which daemon a process belongs to; job steps inherit it from their slurmd, what they start does not.
DAEMON = "AUDIOGRID_TEST_DAEMON"
# The folder that `up` and `down` agree on.
DEVELOPER_ROOT = Path(tempfile.gettempdir()) / f"audiogrid-slurm-{os.getuid()}"

CONFIGURATION = """\
ClusterName=audiogrid
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmdPidFile={root}/run/%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/%n.log
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
TmpFS={root}/tmp/%n
MailProg=/bin/true
# A requeued job may start again when the credential of its first start has expired (usually 120 s).
AuthInfo=socket={root}/munge/socket,cred_expire=5
# Groups of processes work in any container. linuxproc would lose a worker whose shell died before it.
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
# Memory limits without control groups: a step's processes are measured, and one that is over its limit is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
# Without a database squeue is asked about finished jobs, for a day.
AccountingStorageType=accounting_storage/none
MinJobAge=86400
JobCompType=jobcomp/filetxt
JobCompLoc={root}/log/finished.txt
# Quicker than a site would be: a silent node is down after 10 s, SIGKILL follows SIGTERM after {kill_wait} s, a job
# may be over its time by seconds only.
SlurmdTimeout=10
KillWait={kill_wait}
OverTimeLimit=0
InactiveLimit=0
ReturnToService=2
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,sched_interval=5,bf_interval=2
{nodes}
PartitionName=cpu Nodes=ALL Default=YES DefaultTime=60 DefMemPerCPU=100
PartitionName=gpu Nodes=ALL DefaultTime=60 DefMemPerCPU=100
# Jobs here make room for themselves: others are cancelled, not put back into the queue.
PartitionName=urgent Nodes=ALL DefaultTime=60 DefMemPerCPU=100 PriorityTier=10
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
"""

# Snakemake's job step takes SLURM_CONF away from the srun it starts; PATH it leaves alone.
CLIENT = f"""#!/bin/sh
{MARK}='{{root}}' SLURM_CONF='{{root}}/slurm.conf' exec '{{program}}' "$@"
"""

# The executor turns to sacct while slurmctld is away, whatever it is told; without a database sacct cannot answer.
# This one says what squeue says. Its caller puts the name of the jobs last.
SACCT = """#!/bin/sh
case "$*" in *JobIdRaw,State*) ;; *) exit 1 ;; esac
for name; do :; done
exec '{root}/bin/squeue' --states=all --noheader --format='%i|%T' --name "$name"
"""


def missing_programs() -> list[str]:
    """What of Slurm this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=SYSTEM_PATH) is None]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def environments() -> Iterator[tuple[int, dict[str, str]]]:
    """Environment at its start of every process that this user may look into. Zombies have none."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                raw = (entry / "environ").read_bytes()
            except OSError:
                continue
            pairs = (item.partition("=") for item in raw.decode(errors="replace").split("\0"))
            if variables := {key: value for key, _, value in pairs if key}:
                yield int(entry.name), variables


def wait_until(true: Callable[[], object], seconds: float, what: str) -> None:
    """Look ten times a second; ``TimeoutError`` naming ``what`` when it takes longer than ``seconds``."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.1)


@dataclass
class Cluster:
    """Daemons ``munged``, ``slurmctld`` and ``node1`` ... in ``root``; partitions ``cpu`` and ``gpu`` of all nodes."""

    root: Path
    nodes: int = 3
    cores: int = 4
    gpus: int = 2
    memory_mb: int = 16_000
    # Slurm's own default. With 10, a shard whose worker stands still is killed before it can say why it ends.
    kill_wait: int = 30
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def node_names(self) -> list[str]:
        """Names of all nodes."""
        return [f"node{number}" for number in range(1, self.nodes + 1)]

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which Slurm's commands talk to this cluster."""
        return {
            "SLURM_CONF": str(self.root / "slurm.conf"),
            "PATH": f"{self.root / 'bin'}{os.pathsep}{SYSTEM_PATH}",
            MARK: str(self.root),
        }

    # Starting and ending

    def start(self) -> None:
        """Start everything and wait until all nodes are idle. Raises ``RuntimeError`` with the daemons' last words."""
        self._write()
        self.revive("munged")
        wait_until((self.root / "munge" / "socket").exists, 120, "munged")
        self.revive("slurmctld")
        for node in self.node_names:
            self.revive(node)
        try:
            wait_until(lambda: self.idle_nodes() == set(self.node_names), 300, "all nodes to be idle")
        except TimeoutError as error:
            words = "\n".join(self.last_words(path) for path in sorted((self.root / "log").iterdir()))
            self.stop()
            raise RuntimeError(f"{error}:\n{words}") from error

    def stop(self) -> None:
        """End daemons, jobs and whoever uses this cluster, and remove its folder."""
        self._kill_all(lambda variables: variables.get(MARK) == str(self.root))
        for process in self.daemons.values():
            process.wait()
        self.daemons.clear()
        shutil.rmtree(self.root, ignore_errors=True)

    def revive(self, name: str) -> None:
        """Start a daemon (again)."""
        programs = {
            "munged": [
                "munged",
                "--foreground",
                "--force",
                f"--socket={self.root}/munge/socket",
                f"--key-file={self.root}/munge/key",
                f"--seed-file={self.root}/munge/seed",
                f"--pid-file={self.root}/munge/pid",
                f"--log-file={self.root}/log/munged.log",
            ],
            "slurmctld": ["slurmctld", "-D"],
        }
        argv = programs.get(name, ["slurmd", "-D", "-N", name])
        if name not in programs and self._own_host_names():
            # Mounts made later are to be seen on the nodes, too.
            enter = 'hostname "$0" && mount --bind "$1" /etc/hosts && shift && exec "$@"'
            argv = [
                *("unshare", "--uts", "--mount", "--propagation", "slave"),
                *("sh", "-c", enter, name, str(self.root / "hosts"), *argv),
            ]
        with (self.root / "log" / f"{name}.out").open("ab") as output:
            self.daemons[name] = subprocess.Popen(
                argv,
                env={**os.environ, **self.environment, DAEMON: name},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal a daemon; what runs on a node goes on running."""
        for pid, variables in list(environments()):
            if variables.get(MARK) == str(self.root) and variables.get(DAEMON) == name:
                with contextlib.suppress(OSError):
                    if (Path("/proc") / str(pid) / "comm").read_text().strip() != "slurmstepd":
                        os.kill(pid, number)

    def kill_node(self, node: str) -> None:
        """The machine is gone: its slurmd and everything that its jobs run."""
        self._kill_all(
            lambda variables: (
                variables.get(MARK) == str(self.root)
                and node in (variables.get(DAEMON), variables.get("SLURMD_NODENAME"))
            )
        )

    def _kill_all(self, match: Callable[[dict[str, str]], bool]) -> None:
        """Until none is left: one may start another while we look."""
        while pids := [pid for pid, variables in environments() if match(variables) and pid != os.getpid()]:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self.daemons.values():
                process.poll()
            time.sleep(0.05)

    def heal(self) -> None:
        """End all jobs, start what was killed, wait until every node is idle."""
        for name in ("munged", "slurmctld", *self.node_names):
            if self.daemons[name].poll() is not None:
                self.revive(name)
        if waiting := [job["id"] for job in self.jobs("PENDING", "RUNNING", "SUSPENDED", "COMPLETING")]:
            self.ask("scancel", "--signal=KILL", *waiting)
            self.ask("scancel", *waiting)
        for node in set(self.node_names) - self.idle_nodes():
            self.ask("scontrol", "update", f"NodeName={node}", "State=RESUME")
        wait_until(lambda: self.idle_nodes() == set(self.node_names), 300, "all nodes to be idle again")

    # Asking

    def ask(self, *argv: str, seconds: float = 20) -> str:
        """Output of one of Slurm's commands; empty when it fails (a daemon is down, say)."""
        try:
            done = subprocess.run(
                argv,
                env={**os.environ, **self.environment},
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    def idle_nodes(self) -> set[str]:
        """Nodes that are up and run nothing."""
        return set(self.ask("sinfo", "-h", "-N", "-p", "cpu", "-t", "idle", "-o", "%N").split())

    def state_of(self, node: str) -> str:
        """State of a node in Slurm's own word (idle, mixed, down* ...)."""
        return self.ask("sinfo", "-h", "-N", "-p", "cpu", "-n", node, "-o", "%T")

    def jobs(self, *states: str) -> list[dict[str, str]]:
        """Jobs in ``states`` (none: all): id, state, partition, node, comment (rule and wildcards), its folder."""
        wanted = ",".join(states) or "all"
        lines = self.ask("squeue", "-h", f"--states={wanted}", "-o", "%i|%T|%P|%N|%k|%Z").splitlines()
        names = ("id", "state", "partition", "node", "comment", "folder")
        return [dict(zip(names, line.split("|"), strict=True)) for line in lines]

    def last_words(self, path: Path, lines: int = 15) -> str:
        """End of a log."""
        return "\n".join([f"== {path.name}", *path.read_text(errors="replace").splitlines()[-lines:]])

    # Its folder

    def _own_host_names(self) -> bool:
        return (self.root / "hosts").exists()

    def _write(self) -> None:
        # The path of munge's socket has at most 107 characters.
        if len(str(self.root)) > 80:
            raise ValueError(f"{self.root} is too long a name for a cluster's folder")
        for name in ("log", "run", "state", "munge", "bin", "dev"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        # munged wants to be sure that nobody else can write where its key lies.
        (self.root / "munge").chmod(0o700)
        key = self.root / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(256))
        host = socket.gethostname().split(".")[0]
        if may_name_hosts():
            known = Path("/etc/hosts").read_text() if Path("/etc/hosts").exists() else ""
            (self.root / "hosts").write_text(known + "".join(f"127.0.0.1 {node}\n" for node in self.node_names))
        port, *node_ports = free_ports(self.nodes + 1)
        lines = []
        for node, node_port in zip(self.node_names, node_ports, strict=True):
            (self.root / "spool" / node).mkdir(parents=True)
            (self.root / "tmp" / node).mkdir(parents=True)
            named = node if self._own_host_names() else host
            gres = f" Gres=gpu:{self.gpus}" if self.gpus else ""
            lines.append(
                f"NodeName={node} NodeHostname={named} NodeAddr=127.0.0.1 Port={node_port} CPUs={self.cores} "
                f"CoresPerSocket={self.cores} RealMemory={self.memory_mb}{gres}"
            )
        (self.root / "slurm.conf").write_text(
            CONFIGURATION.format(
                root=self.root,
                host=host,
                port=port,
                user=getpass.getuser(),
                kill_wait=self.kill_wait,
                nodes="\n".join(lines),
            )
        )
        # A cgroup plugin is loaded though none is used; this one does not mind where there are no control groups.
        (self.root / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        gres_lines = []
        for number in range(self.gpus):
            # GPUs that are counted though not there: Slurm wants a device file to each.
            (self.root / "dev" / f"gpu{number}").symlink_to("/dev/null")
        if self.gpus:
            names = f"node[1-{self.nodes}]"
            gres_lines = [f"NodeName={names} Name=gpu File={self.root}/dev/gpu[0-{self.gpus - 1}]\n"]
        (self.root / "gres.conf").write_text("".join(gres_lines))
        for name in ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo"):
            program = shutil.which(name, path=SYSTEM_PATH)
            self._script(name, CLIENT.format(root=self.root, program=program))
        self._script("sacct", SACCT.format(root=self.root))

    def _script(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)


def may_name_hosts() -> bool:
    """Whether a node can have a host name of its own (namespaces; needs root)."""
    trial = "hostname node1 && mount --bind /etc/hosts /etc/hosts"
    try:
        done = subprocess.run(["unshare", "--uts", "--mount", "sh", "-c", trial], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


def main(argv: list[str]) -> int:
    """``up`` and ``down`` for a developer."""
    parser = argparse.ArgumentParser(description="A Slurm to try things on, on this machine.")
    parser.add_argument("what", choices=["up", "down"])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--cores", type=int, default=4, help="per node, claimed")
    parser.add_argument("--gpus", type=int, default=2, help="per node, claimed")
    arguments = parser.parse_args(argv)
    cluster = Cluster(DEVELOPER_ROOT, nodes=arguments.nodes, cores=arguments.cores, gpus=arguments.gpus)
    if lacking := missing_programs():
        print(f"no {', '.join(lacking)} here: {INSTALL}", file=sys.stderr)
        return 2
    cluster.stop()
    if arguments.what == "up":
        cluster.start()
        variables = cluster.environment
        # Not the mark: `down` would end this shell and all that is started from it.
        settings = f"export SLURM_CONF='{variables['SLURM_CONF']}' PATH='{cluster.root / 'bin'}':\"$PATH\"\n"
        (cluster.root / "env.sh").write_text(settings)
        print(f"{cluster.nodes} nodes are up. In your shell:\n  . {cluster.root / 'env.sh'}\n  sinfo")
        print("  snakemake --profile slurm --config run=x recordings=FOLDER")
        print("make slurm-down ends it, with everything that runs on it.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
