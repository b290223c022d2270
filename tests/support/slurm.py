"""A Slurm cluster of one node for tests: this machine, without accounting, on the loopback address alone.

Every line of its configuration that is not a default has its reason:
    config_overrides            the node may claim more cores than there are
    No...InAddrAny              nothing listens beyond 127.0.0.1
    cred_expire, intervals      a requeued job begins again within seconds instead of minutes
    linuxproc, task/none        no cgroups are needed
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support.sweeps import is_alive

_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=cred_expire=5{socket}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.log
SlurmctldPort={port}
SlurmdPort={next_port}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=5
InactiveLimit=0
MinJobAge=600
SchedulerParameters=batch_sched_delay=0,sched_min_interval=10000,sched_interval=1,bf_interval=1,requeue_delay=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=600 OverSubscribe=NO State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes={host} MaxTime=600 OverSubscribe=NO State=UP PriorityTier=9 PreemptMode=OFF
"""
_PROGRAMS = ("slurmctld", "slurmd", "munged", "mungekey", "sbatch")


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def _start(*command: str) -> None:
    # What goes into the background must not keep a pipe of the test's open.
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, command


def _stop(pid_file: Path) -> None:
    with suppress(OSError, ValueError):
        process = int(pid_file.read_text())
        os.kill(process, 15)
        for _ in range(100):
            if not is_alive(process):
                return
            time.sleep(0.02)
        os.kill(process, 9)


@contextmanager
def one_node_cluster() -> Iterator[Path]:
    """A cluster of this machine; skips where there can be none.

    Yields:
        Its configuration's file, which SLURM_CONF has to name.
    """
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'cdkd[slurm]'")
    missing = [name for name in _PROGRAMS if _program(name) is None]
    if missing:
        pytest.skip(f"Slurm is not installed ({', '.join(missing)}): apt-get install slurm-wlm munge")
    if os.getuid() != 0:
        pytest.skip("a Slurm cluster of the test's own needs root")
    with tempfile.TemporaryDirectory(prefix="cdkd-slurm-") as name:
        folder = Path(name)
        for part in ("state", "spool", "log", "munge"):
            (folder / part).mkdir()
        os.environ.pop("SLURM_CONF", None)
        _start_munge(folder / "munge")
        port, next_port = _free_ports()
        configuration = folder / "slurm.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                host=socket.gethostname().partition(".")[0], folder=folder, port=port, next_port=next_port,
                socket=f",socket={folder}/munge/socket",
            )
        )  # fmt: skip
        try:
            _start(str(_program("slurmctld")), "-c", "-f", str(configuration))
            _start(str(_program("slurmd")), "-f", str(configuration))
            _wait_for_idle_node(configuration)
            yield configuration
        finally:
            environment = {**os.environ, "SLURM_CONF": str(configuration)}
            subprocess.run(["scancel", "--user", "root"], env=environment, capture_output=True, check=False)
            for program in ("slurmd", "slurmctld", "munge/munged"):
                _stop(folder / f"{program}.pid")


def _start_munge(folder: Path) -> None:
    """A munged of the test's own, with a key of its own."""
    key = folder / "key"
    _start(str(_program("mungekey")), "--create", f"--keyfile={key}")
    _start(
        str(_program("munged")), "--force", f"--key-file={key}", f"--socket={folder}/socket", "--num-threads=1",
        f"--pid-file={folder}/munged.pid", f"--log-file={folder}/log", f"--seed-file={folder}/seed",
    )  # fmt: skip


def _wait_for_idle_node(configuration: Path) -> None:
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    for _ in range(200):
        shown = subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True, check=False
        )
        if "idle" in shown.stdout:
            return
        time.sleep(0.05)
    log = configuration.parent / "log" / "slurmctld.log"
    pytest.skip(f"Slurm's node does not come up on this machine: {log.read_text()[-300:]}")
