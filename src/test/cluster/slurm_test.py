#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""contrib/slurm as it is, on a real Slurm of one machine: the array over the archive of images.py, and the merge.

    slurm_test.py STASIS WRITE_IMAGES PACK ROOT FOLDER

Debian's slurmctld and slurmd run on the loopback with a configuration of their own, as whoever runs this; nothing of
them is left. What four shards make together must be what one batch makes, byte by byte. Skipped where there is no
Slurm.
"""
import ctypes
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "archive"))
import batch_test  # noqa: E402

SHARDS = 4
SKIPPED = 77
PARTS = ["plain", "forms", "samples", "cut", "hostile", "none", "wrapped", "nested", "twice"]
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

CONF = """\
ClusterName=stasis
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=2
SlurmdParameters=config_overrides
MailProg=/bin/true
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def skip(why):
    print("skipped:", why)
    sys.exit(SKIPPED)


def find(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return path or skip(f"{name} is not installed (packages slurmctld, slurmd, slurm-client)")


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def descendants(pid):
    """All of them, the nearest first. Whoever lost its parent has become a child of ours."""
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="utf-8") as file:
                found += [int(word) for word in file.read().split()]
    except OSError:
        return []
    return found + [deeper for child in list(found) for deeper in descendants(child)]


def stop_everything():
    """Whatever happened: politely, then not."""
    for number, wait in ((signal.SIGTERM, 3), (signal.SIGKILL, 3)):
        end = time.monotonic() + wait
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        while descendants(os.getpid()) and time.monotonic() < end:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.05)
            except ChildProcessError:
                break


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        for name in ("state", "spool"):
            os.mkdir(os.path.join(folder, name))
        host = socket.gethostname().split(".")[0]
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.conf = os.path.join(folder, "slurm.conf")
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(CONF.format(host=host, user=user, folder=folder, ports=free_ports(2)))
        self.env = {**os.environ, "SLURM_CONF": self.conf}

    def start(self, *programs):
        for program in programs:
            with open(os.path.join(self.folder, os.path.basename(program) + ".out"), "wb") as out:
                subprocess.Popen([program, "-D", "-f", self.conf], env=self.env, stdout=out, stderr=out,
                                 stdin=subprocess.DEVNULL, cwd=self.folder)

    def ask(self, *words, **more):
        return subprocess.run(words, env=self.env, capture_output=True, text=True, timeout=60, **more)

    def wait_for_node(self):
        for _ in range(240):
            if self.ask("sinfo", "-h", "-o", "%T").stdout.split() == ["idle"]:
                return True
            time.sleep(0.25)
        return False

    def logs(self):
        for path in sorted(glob.glob(os.path.join(self.folder, "*.log"))):
            with open(path, encoding="utf-8", errors="replace") as file:
                print(f"---- {os.path.basename(path)}\n" + "".join(file.readlines()[-25:]))


def run_jobs(cluster, home, stasis, root, answer):
    scripts, paths = os.path.join(root, "contrib/slurm"), [os.path.join("archive", part) for part in PARTS]
    output = os.path.join(cluster.folder, "job-%j.out")
    cluster.env["STASIS_OPTIONS"] = " ".join(batch_test.LIMIT)
    env = {**cluster.env, "STASIS": stasis}

    def sbatch(*words):
        done = subprocess.run(["sbatch", "--parsable", "--output", output, *words], cwd=home, env=env,
                              capture_output=True, text=True, timeout=60, check=False)
        batch_test.check(f"sbatch ({done.stderr.strip()})", 0, done.returncode)
        return done.stdout.strip()

    job = sbatch(f"--array=1-{SHARDS}", os.path.join(scripts, "stasis-array.sbatch"), answer, *paths)
    env["STASIS_OPTIONS"] = ""
    sbatch(f"--dependency=afterok:{job}", os.path.join(scripts, "stasis-merge.sbatch"), answer)
    end = time.monotonic() + 300
    while time.monotonic() < end and cluster.ask("squeue", "-h", "-o", "%i %T %r").stdout.strip():
        if "DependencyNeverSatisfied" in cluster.ask("squeue", "-h", "-o", "%r").stdout:
            batch_test.complain("a task of the array failed, so that there is no merge")
            break
        time.sleep(0.5)
    for path in sorted(glob.glob(os.path.join(cluster.folder, "job-*.out"))):
        with open(path, encoding="utf-8") as file:
            print(f"     {os.path.basename(path)}: {file.read().strip().splitlines()[-2:]}")


def check_answer(answer, whole):
    shards = sorted(glob.glob(os.path.join(answer, "shard-*")))
    batch_test.check("shards", SHARDS, len(shards))
    counts = [len(batch_test.summary(shard)) for shard in shards]
    print(f"     lines of the shards: {counts}")
    batch_test.check("every shard has something to do", True, all(counts))
    a, b = batch_test.files_of(whole), batch_test.files_of(os.path.join(answer, "whole"))
    batch_test.check("lines", len(batch_test.summary(whole)), sum(counts))
    batch_test.check("files", sorted(a), sorted(b))
    for name in a:
        if a[name] != b.get(name, a[name]):
            batch_test.complain(f"{name}: other bytes than without shards")


def main(argv):
    stasis, writer, packer, root, folder = (os.path.abspath(word) for word in argv)
    programs = [find(name) for name in ("slurmctld", "slurmd")]
    for name in ("sbatch", "squeue", "sinfo"):
        find(name)
    if not glob.glob("/usr/lib/*/slurm*/auth_none.so"):
        skip("this Slurm has no auth/none")
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        skip("no subreaper: what Slurm leaves could not be found again")
    home, _ = batch_test.archive(root, writer, packer, folder)
    with tempfile.TemporaryDirectory() as made:
        cluster, answer, whole = Cluster(made), os.path.join(made, "answer"), os.path.join(made, "unsharded")
        try:
            cluster.start(*programs)
            subprocess.run([stasis, "batch", *(os.path.join("archive", part) for part in PARTS), "-o", whole, "-q",
                            *batch_test.LIMIT], cwd=home, check=False, stdout=subprocess.DEVNULL)
            if not cluster.wait_for_node():
                batch_test.complain("the node does not become idle")
            else:
                run_jobs(cluster, home, stasis, root, answer)
                check_answer(answer, whole)
        except (OSError, subprocess.TimeoutExpired) as problem:
            batch_test.complain(f"{problem}")
        finally:
            stop_everything()
            if batch_test.bad:
                cluster.logs()
    left = descendants(os.getpid())
    batch_test.check("processes that are left", [], left)
    print("WRONG" if batch_test.bad else f"{SHARDS} shards under Slurm say what one batch does")
    return 1 if batch_test.bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
