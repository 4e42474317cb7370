#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The files in contrib/ that no cluster is at hand for.

    contrib_test.py STASIS ROOT

The Kubernetes job: its structure (what the API asks of an Indexed Job, and that its parts name each other), and its
shell command, run for each pod as a pod would, in folders in the place of the volumes. The scripts for Slurm: that a
shell takes them, and what they say without arguments. Skipped where python has no yaml (package python3-yaml).
"""
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
SKIPPED = 77
FILES = 24

bad = 0


def check(what, want, got):
    global bad
    if want != got:
        bad += 1
        print(f"FAIL {what}: {want!r} is expected, not {got!r}")


def check_job(job):
    """https://kubernetes.io/docs/concepts/workloads/controllers/job/"""
    check("apiVersion", "batch/v1", job["apiVersion"])
    check("kind", "Job", job["kind"])
    spec = job["spec"]
    check("completionMode", "Indexed", spec["completionMode"])
    check("all pods at once, or fewer", True, 0 < spec["parallelism"] <= spec["completions"])
    pod = spec["template"]["spec"]
    check("restartPolicy of a job", True, pod["restartPolicy"] in ("OnFailure", "Never"))
    (container,) = pod["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    check("SHARDS", str(spec["completions"]), environment["SHARDS"])
    mounts, volumes = container["volumeMounts"], pod["volumes"]
    check("volumes", sorted(v["name"] for v in volumes), sorted(m["name"] for m in mounts))
    check("the archive is not written to", True, next(m for m in mounts if m["name"] == "archive")["readOnly"])
    for volume in volumes:
        check(f"volume {volume['name']}: one kind", 2, len(volume))
    check("command", ["sh", "-c"], container["command"][:2])
    check("command: words", 3, len(container["command"]))
    return container["command"][2], environment, [m["mountPath"] for m in mounts]


def run_pods(stasis, script, environment, paths, folder):
    for path in paths:
        check(f"{path} is in the command", True, path in script)
        script = script.replace(path, folder + path)
        os.mkdir(folder + path)
    for number in range(FILES):
        with open(f"{folder}/archive/{number}.raw", "wb") as file:
            file.write(b"%d\n" % number * 100)
    os.symlink(stasis, os.path.join(folder, "stasis"))
    names = []
    for index in range(int(environment["SHARDS"])):
        env = {**os.environ, **environment, "JOB_COMPLETION_INDEX": str(index),
               "PATH": folder + ":" + os.environ["PATH"]}
        done = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, check=False)
        check(f"pod {index} ({done.stderr.strip()})", 0, done.returncode)
        with open(f"{folder}/answer/shard-{index}/summary.jsonl", encoding="utf-8") as file:
            names += [json.loads(line)["name"] for line in file]
    check("each file is in one pod's answer", sorted(f"{folder}/archive/{n}.raw" for n in range(FILES)), sorted(names))


def check_script(path):
    check(f"{path}: sh -n", 0, subprocess.run(["sh", "-n", path], check=False).returncode)
    done = subprocess.run(["sh", path], capture_output=True, text=True, check=False)
    check(f"{path}: without arguments", (1, True), (done.returncode, done.stderr.startswith("usage: sbatch")))


def main(argv):
    stasis, root = (os.path.abspath(word) for word in argv)
    for name in ("stasis-array.sbatch", "stasis-merge.sbatch"):
        check_script(os.path.join(root, "contrib/slurm", name))
    try:
        import yaml
    except ImportError:
        print("skipped: python has no yaml (package python3-yaml)")
        sys.exit(1 if bad else SKIPPED)
    with open(os.path.join(root, "contrib/kubernetes/stasis-job.yaml"), encoding="utf-8") as file:
        script, environment, paths = check_job(yaml.safe_load(file))
    with tempfile.TemporaryDirectory() as folder:
        run_pods(stasis, script, environment, paths, folder)
    print("WRONG" if bad else "contrib is as it should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
