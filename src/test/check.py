#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py STASIS IMAGE: `stasis check` as a CI job uses it, on a golden image (xpsp3-x86): exit statuses, references
of every kind, --update, folders of cases, and each format read by a parser of its own (XML, TAP::Parser, the rules of
GitHub's runner)."""
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

STASIS, IMAGE = (os.path.abspath(path) for path in sys.argv[1:3])
HOSTILE = "x\n::error::gotcha\r%0A,a:b <&>\"' ]]> \x1b[31m # SKIP \\ \ufffe\uffff \u202e"
bad = []


def complain(text):
    bad.append(text)
    print(f"FAIL {text}")


def run(*words, cwd=None):
    done = subprocess.run([STASIS, *words], capture_output=True, cwd=cwd, timeout=300, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def want(status, says, *words, cwd=None):
    """Runs; the exit status, and every one of `says` somewhere in what was printed. Gives the standard output."""
    got, out, err = run(*words, cwd=cwd)
    line = " ".join(words)
    if got != status:
        complain(f"{line}: exit status {got}, want {status}\n{out[:2000]}{err}")
    for text in [says] if isinstance(says, str) else says:
        if " ".join(text.split()) not in " ".join((out + err).split()):  # lines are folded where paths are long
            complain(f"{line}: does not say {text!r}\n{out[:2000]}{err}")
    if max(map(len, out.split("\n"))) > 120 and "--format" not in words:
        complain(f"{line}: wider than 120 columns")
    return out


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        file.write(value if isinstance(value, str) else json.dumps(value))
    return path


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def reference(**members):
    return {"schema": "stasis/reference/1", **members}


def former_answers(there):
    """An answer of threads or processes is a reference as it is, and so is the whole of a result."""
    for verb in "threads", "processes":
        answer = os.path.join(there, verb + ".json")
        want(0, "", verb, IMAGE, "--format", "json", "--output", answer)
        want(0, "records", "check", IMAGE, "--against", answer)
        want(0, "records", "check", answer, "--against", answer)
        document = read(answer)
        document[verb].pop()
        document[verb][0]["pid"] = 77777
        document["total"] -= 1
        write(answer, document)
        want(4, ["2 differences", "77777", "not expected"], "check", IMAGE,
             "--against", answer)
    part = os.path.join(there, "part.json")
    want(0, "", "threads", IMAGE, "--format", "json", "--process", "4", "--output", part)
    want(0, "records", "check", IMAGE, "--against", part)


def subsets(there, tid):
    path = os.path.join(there, "subset.json")
    write(path, reference(threads=[{"tid": tid, "process": "smss.exe", "state": "Waiting"}]))
    want(0, "1 record, 3 values", "check", IMAGE, "--against", path)
    write(path, reference(threads=[{"tid": tid, "state": "Running"}, {"tid": 99999}]))
    out = want(4, ["2 differences", f"thread {tid}", "expected Running", "thread 99999: missing"], "check", IMAGE,
               "--against", path)
    if "::" in out or "\033" in out:
        complain("colours, or something else that does not belong there")
    write(path, reference(threads=[], rules={"threads": {"count": [1, 3]}}))
    want(4, "1 to 3", "check", IMAGE, "--against", path)
    write(path, reference(threads=[{"tid": tid, "wait_age": 0}], rules={"threads[*].wait_age": {"range": [0, None]}}))
    want(0, "", "check", IMAGE, "--against", path)
    want(0, "", "check", IMAGE, "--against", path, "--quiet")


def slips(there, tid):
    """Of the pen: a reference that asks for nothing is no success, and what is mistyped is named."""
    path = os.path.join(there, "slip.json")
    thread = {"tid": tid, "state": "Waiting"}
    for members in ({}, {"threads": []}, {"notes": []}, {"threads": [thread], "rules": {"**": "ignore"}}):
        write(path, reference(**members))
        want(2, "it asks for nothing", "check", IMAGE, "--against", path)
    write(path, reference(threads=[thread], rules={"thread[*].state": "ignore", "threads[*].staet": "ignore"}))
    want(0, "rules at whose path nothing is: thread[*].state, threads[*].staet", "check", IMAGE, "--against", path)
    write(path, reference(threads=[thread], rules={"threads[*].state": "exact"}))
    if "rules at" in want(0, "1 record, 2 values", "check", IMAGE, "--against", path):
        complain("a rule that holds is said to be at no path")
    for rule, says in ("exactly", '"exact"'), ({"range": [20, 10]}, "two times"), ({"count": [9, 5]}, "[FROM,TO]"), \
            ({"absent": "paged oot"}, "paged out"), ({"near": "x"}, "from 0 on"):
        write(path, reference(threads=[thread], rules={"threads": rule}))
        want(2, ["is no rule; it can be", says], "check", IMAGE, "--against", path)


def statuses(there):
    """2: not readable, or no reference; 3 and 4."""
    path = write(os.path.join(there, "r.json"), reference(system={"machine": "x86"}))
    none = write(os.path.join(there, "none.raw"), "this is no image\n" * 4096)
    cut = os.path.join(there, "cut.raw")
    want(2, "none.raw", "check", none, "--against", path)
    want(2, "error", "check", os.path.join(there, "nowhere"), "--against", path)
    want(2, "No such file", "check", IMAGE, "--against", os.path.join(there, "nowhere"))
    want(1, "--against is missing", "check", IMAGE)
    want(1, "for one image", "check", there, "--against", path)
    for text in "{", "[]", "{}", '{"schema":"stasis/threads/1"}', '{"schema":"stasis/threads/1","threads":[1]}', "\0", \
            '{"schema":"stasis/reference/1","rules":{"a":"perhaps"}}', '{"schema":"stasis/reference/1"} x', \
            '{"schema":"stasis/reference/1","keys":{"threads":7}}', "[" * 100000, '{"schema":"' + "a" * 100000 + '"}':
        want(2, "error", "check", IMAGE, "--against", write(os.path.join(there, "bad.json"), text))
        want(2, "error", "check", write(os.path.join(there, "bad.json"), text + " "), "--against", path)
    refused = write(os.path.join(there, "refused.json"), reference(analysis={"exit_status": 2}))
    want(0, "", "check", none, "--against", refused)
    want(4, "analysis.exit_status", "check", IMAGE, "--against", refused)
    shutil.copy(IMAGE, cut)
    document = {"schema": "stasis/threads/1", "threads": [{"tid": 4}], "notes": [{"severity": "missing", "code": "x"}]}
    partial = write(os.path.join(there, "partial.json"), document)
    want(3, "nothing differs, but", "check", partial, "--against",
         write(os.path.join(there, "p.ref"), reference(threads=[{"tid": 4}])))
    want(4, "1 difference", "check", partial, "--against",
         write(os.path.join(there, "p.ref"), reference(threads=[{"tid": 5}])))
    want(0, "", "check", partial, "--against",
         write(os.path.join(there, "p.ref"), reference(threads=[{"tid": 4}], notes=[{"severity": "missing"}])))
    want(0, "", "check", partial, "--against", partial)


def updates(there, tid):
    path = os.path.join(there, "update.json")
    want(0, "there was no reference", "check", IMAGE, "--against", path, "--update")
    want(0, "", "check", IMAGE, "--against", path)
    whole = read(path)
    if whole["schema"] != "stasis/result/1" or not whole["threads"] or not whole["processes"] or not whole["modules"]:
        complain("a new reference is not whole")
    whole["threads"].pop()
    whole["threads"][0]["state"] = "Nowhere"
    whole["rules"] = {"threads[*].wait_age": "ignore"}
    whole["threads"][1]["wait_age"] = 1234567
    write(path, whole)
    os.chmod(path, 0o640)
    link = os.path.join(there, "link.json")
    os.symlink("update.json", link)
    want(0, ["updated", "2 differences", "expected Nowhere"], "check", IMAGE, "--against", link, "--update")
    want(0, "equal", "check", IMAGE, "--against", path, "--update")
    if not os.path.islink(link) or os.stat(path).st_mode & 0o777 != 0o640:
        complain("--update: the link or the mode did not stay")
    new = read(path)
    if new["rules"] != whole["rules"] or new["threads"][1]["wait_age"] != 1234567:
        complain("--update: the rules, or what they ignore, did not stay")
    write(path, reference(threads=[{"tid": tid, "state": "Nowhere", "teb": None, "absent": {"teb": "x"}}],
                          comment="mine"))
    want(0, "updated", "check", IMAGE, "--against", path, "--update")
    new = read(path)
    if set(new) != {"schema", "threads", "comment"} or new["threads"][0]["state"] != "Waiting" or \
            set(new["threads"][0]) != {"tid", "state", "teb", "absent"}:
        complain(f"--update of a subset: {new}")
    before = set(os.listdir(there))
    none = write(os.path.join(there, "none.raw"), "this is no image\n" * 4096)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    want(2, "error", "check", none, "--against", path, "--update")
    with open(path, encoding="utf-8") as file:
        if file.read() != text:
            complain("--update wrote what an unreadable image says")
    if set(os.listdir(there)) - before - {"none.raw"}:
        complain("--update leaves something behind")
    if os.getuid():
        folder = os.path.join(there, "locked")
        os.mkdir(folder)
        locked = write(os.path.join(folder, "r.json"), reference(threads=[{"tid": tid, "state": "x"}]))
        os.chmod(folder, 0o500)
        want(2, "cannot be written", "check", IMAGE, "--against", locked, "--update")
        os.chmod(folder, 0o700)


def folders(there, tid):
    folder = os.path.join(there, "cases")
    os.mkdir(folder)
    want(2, "no case", "check", folder)
    write(os.path.join(folder, "README.md"), "not a case\n")
    write(os.path.join(folder, ".hidden"), "nor this\n")
    want(2, "no case", "check", folder)
    os.symlink(IMAGE, os.path.join(folder, "a.raw"))
    want(2, ["no reference", "1 case: 0 equal, 1 in error"], "check", folder)
    good = reference(threads=[{"tid": tid, "state": "Waiting"}])
    write(os.path.join(folder, "a.raw.ref.json"), good)
    want(0, ["1 case: 1 equal", "equal     a.raw"], "check", folder)
    want(0, "1 case: 1 equal", "check", folder + "/")
    want(0, "1 case: 1 equal", "check", ".", cwd=folder)
    write(os.path.join(folder, "b.raw.ref.json"), good)
    want(2, ["there is no image", "2 cases: 1 equal, 1 in error"], "check", folder)
    write(os.path.join(folder, "b.raw"), "no image\n" * 1000)
    want(2, "2 cases: 1 equal, 1 in error", "check", folder)
    deep = os.path.join(folder, "deep", "er")
    os.makedirs(deep)
    write(os.path.join(deep, "case.json"), {"schema": "stasis/case/1", "image": "../../a.raw", "against": "ref",
                                            "pagefile": ["0=nowhere.sys"], "comment": "one"})
    write(os.path.join(deep, "ref"), reference(threads=[{"tid": tid, "state": "Running"}]))
    want(2, "nowhere.sys", "check", folder)
    write(os.path.join(deep, "case.json"), {"schema": "stasis/case/1", "image": "../../a.raw", "against": "ref"})
    first = want(4, ["different deep/er: 1 difference", "3 cases: 1 equal, 1 different, 1 in error"], "check", folder)
    for jobs in "1", "3", "64":
        if want(4, "", "check", folder, "--jobs", jobs) != first:
            complain(f"--jobs {jobs} gives another answer")
    for wrong in {"image": "x"}, {"image": "x", "against": "y", "pagefiles": []}, {"image": 7, "against": "y"}, \
            {"image": "x", "against": "y", "mode": "z80"}, {"image": "x", "against": "y", "root": "0xzz"}:
        write(os.path.join(deep, "case.json"), {"schema": "stasis/case/1", **wrong})
        want(2, "deep/er/case.json: ", "check", folder)
    os.unlink(os.path.join(deep, "case.json"))
    want(2, ["deep/er/ref: it has no reference"], "check", folder)
    shutil.rmtree(os.path.join(folder, "deep"))
    os.unlink(os.path.join(folder, "b.raw"))
    os.unlink(os.path.join(folder, "b.raw.ref.json"))
    os.symlink("nothing", os.path.join(folder, "c.raw"))
    want(2, "a link to nothing", "check", folder)
    os.unlink(os.path.join(folder, "c.raw"))
    os.symlink(".", os.path.join(folder, "round"))
    want(2, "link to a folder", "check", folder)
    os.unlink(os.path.join(folder, "round"))
    os.mkfifo(os.path.join(folder, "pipe"))
    want(2, "not a file", "check", folder)
    os.unlink(os.path.join(folder, "pipe"))
    os.unlink(os.path.join(folder, "a.raw.ref.json"))
    want(0, "updated", "check", folder, "--update")
    want(0, "1 equal", "check", folder)
    return folder


def endless(path):
    """64 GiB of zeros, which take minutes to unpack."""
    piece = gzip.compress(bytes(16 << 20), 9, mtime=0)
    with open(path, "wb") as file:
        for _ in range(4096):
            file.write(piece)


def late(there):
    """A case that would take minutes is one error, in every format, and the others are checked."""
    folder, said = os.path.join(there, "late"), "it took longer than 3 s (--timeout)"
    os.mkdir(folder)
    write(os.path.join(folder, "a.json"), {"schema": "stasis/threads/1", "threads": [{"tid": 4}]})
    write(os.path.join(folder, "a.json.ref.json"), reference(threads=[{"tid": 4}]))
    endless(os.path.join(folder, "b.raw.gz"))
    write(os.path.join(folder, "b.raw.gz.ref.json"), reference())
    write(os.path.join(folder, "c.json"), {"schema": "stasis/threads/1", "threads": [{"tid": 8}]})
    write(os.path.join(folder, "c.json.ref.json"), reference(threads=[{"tid": 8}]))
    for form in "text", "json", "junit", "tap", "github":
        began = time.monotonic()
        text = want(2, "took longer than 3 s", "check", folder, "--timeout", "3", "--jobs", "1", "--tmp-limit", "64G",
                    "--format", form)
        if time.monotonic() - began > 60:
            complain(f"--timeout 3 --format {form}: {time.monotonic() - began:.0f} s")
        if form == "json":
            told = [(c["outcome"], c["exit_status"], c.get("error")) for c in json.loads(text)["cases"]]
            if told != [("equal", 0, None), ("error", 2, said), ("equal", 0, None)]:
                complain(f"--timeout: {told}")
        elif form == "junit" and len(ElementTree.fromstring(text).findall(".//error")) != 1:
            complain(f"--timeout: {text}")
    write(os.path.join(folder, "c.json.ref.json"), reference(threads=[{"tid": 9}]))
    want(4, "took longer", "check", folder, "--timeout", "3")
    want(2, "took longer", "check", os.path.join(folder, "b.raw.gz"), "--against",
         os.path.join(folder, "b.raw.gz.ref.json"), "--timeout", "1")
    want(0, "equal ", "check", os.path.join(folder, "a.json"), "--against",
         os.path.join(folder, "a.json.ref.json"), "--timeout", "0")


# ---------------------------------------------------------------- formats

def hostile_folder(there):
    """Documents in place of images: an equal one, a different one whose texts try everything, and one that is none."""
    folder = os.path.join(there, "hostile")
    os.mkdir(folder)
    name = "b %0A::error::<&>\"' # SKIP \\ ,x.json"
    for case, told in ("a.json", "x"), (name, HOSTILE):
        write(os.path.join(folder, case),
              {"schema": "stasis/threads/1", "threads": [{"tid": 4, "process": told, "state": told}]})
        write(os.path.join(folder, case + ".ref.json"), reference(threads=[{"tid": 4, "state": "x"}]))
    write(os.path.join(folder, "c.json"), "{")
    write(os.path.join(folder, "c.json.ref.json"), reference())
    return folder, name


def junit(folder, name):
    text = want(4, "", "check", folder, "--format", "junit")
    root = ElementTree.fromstring(text)
    suite = root.find("testsuite")
    cases = suite.findall("testcase")
    if root.tag != "testsuites" or [c.get("name") for c in cases] != ["a.json", name, "c.json"]:
        complain(f"junit: {[c.get('name') for c in cases]}")
    for element in root, suite:
        counted = {key: element.get(key) for key in ("tests", "failures", "errors")}
        if counted != {"tests": "3", "failures": "1", "errors": "1"} or not element.get("name"):
            complain(f"junit: {element.tag} counts {counted}")
    kinds = [[child.tag for child in case] for case in cases]
    if kinds != [[], ["failure"], ["error"]]:
        complain(f"junit: {kinds}")
    allowed = {"testsuites": {"name", "tests", "failures", "errors"}, "failure": {"message", "type"},
               "testsuite": {"name", "tests", "failures", "errors", "skipped"}, "testcase": {"name", "classname"},
               "error": {"message", "type"}}
    for element in root.iter():
        if set(element.attrib) != allowed.get(element.tag):
            complain(f"junit: {element.tag} has {sorted(element.attrib)}")
    failure = cases[1].find("failure")
    if failure.get("message") != "1 difference" or "<&>\"'" not in failure.text or "\x1b" in failure.text:
        complain(f"junit: the failure says {failure.text!r}")
    if re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", text):
        complain("junit: a character that XML has not")


def tap(folder):
    text = want(4, "", "check", folder, "--format", "tap")
    lines = text.split("\n")
    if lines[:3] != ["TAP version 13", "1..3", "ok 1 - a.json"]:
        complain(f"tap: begins with {lines[:3]}")
    points = [line for line in lines if re.match(r"(not )?ok ", line)]
    if [line[:5] for line in points] != ["ok 1 ", "not o", "not o"] or len(re.findall(r"(?<!\\)#", points[1])):
        complain(f"tap: {points}")
    prove = shutil.which("prove")
    if not prove:
        print("no prove: TAP is not read by TAP::Parser")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".tap", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        script = ("use TAP::Parser; my $p = TAP::Parser->new({ source => $ARGV[0] }); $p->run; "
                  "print join(',', $p->plan, $p->tests_run, scalar($p->passed), scalar($p->failed), "
                  "scalar($p->skipped), scalar($p->parse_errors)), qq{\\n}; print join(qq{\\n}, $p->parse_errors);")
        done = subprocess.run(["perl", "-e", script, file.name], capture_output=True, check=False)
    if done.stdout.decode().split("\n")[0] != "1..3,3,1,2,0,0":
        complain(f"tap: TAP::Parser says {done.stdout.decode()} {done.stderr.decode()}")


def github(folder, name):
    text = want(4, "", "check", folder, "--format", "github")
    lines = text.rstrip("\n").split("\n")
    commands = [re.fullmatch(r"::(error|warning) file=([^,:\r\n]*),title=([^,:\r\n]*)::([^\r\n]*)", line)
                for line in lines[:-1]]
    if len(lines) != 3 or not all(commands) or lines[-1] != "3 cases: 1 equal, 1 different, 1 in error":
        complain(f"github: {text}")
        return

    def plain(value):
        for code, char in ("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%"):
            value = value.replace(code, char)
        return value
    if plain(commands[0].group(3)) != f"stasis check: {name}":
        complain(f"github: title {plain(commands[0].group(3))!r}")
    if not plain(commands[0].group(2)).endswith(name + ".ref.json"):
        complain(f"github: file {plain(commands[0].group(2))!r}")
    message = plain(commands[0].group(4)).split("\n")
    if message[0] != "1 difference" or len(message) != 2 or "gotcha" not in message[1]:
        complain(f"github: message {message}")
    if re.search("[\x00-\x09\x0b-\x1f]", text):
        complain("github: a control character")


def as_json(folder, name):
    document = json.loads(want(4, "", "check", folder, "--format", "json"))
    outcomes = [(case["name"], case["outcome"], case["exit_status"]) for case in document["cases"]]
    if document["schema"] != "stasis/check/1" or outcomes != [("a.json", "equal", 0), (name, "different", 4),
                                                              ("c.json", "error", 2)]:
        complain(f"json: {outcomes}")
    if [document[key] for key in ("case_count", "equal", "different", "partial", "error")] != [3, 1, 1, 0, 1]:
        complain(f"json: {document}")
    if document["cases"][1]["differences"][0]["path"] != "state":
        complain(f"json: {document['cases'][1]}")


def main():
    with tempfile.TemporaryDirectory() as there:
        threads = json.loads(run("threads", IMAGE, "--format", "json")[1])["threads"]
        tid = next(t["tid"] for t in threads if t["process"] == "smss.exe" and t["state"] == "Waiting")
        former_answers(there)
        subsets(there, tid)
        slips(there, tid)
        statuses(there)
        updates(there, tid)
        folders(there, tid)
        late(there)
        folder, name = hostile_folder(there)
        want(4, "3 cases: 1 equal, 1 different, 1 in error", "check", folder)
        junit(folder, name)
        tap(folder)
        github(folder, name)
        as_json(folder, name)
    print("all is well" if not bad else f"{len(bad)} complaints")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
