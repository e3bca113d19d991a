"""Death after every single commit; a week of downtime; a clock set back."""
import glob
import json
import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from datetime import datetime

# A death leaves what was written in the kernel, so memory serves as well as a disk, and faster.
if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK):
    os.environ["TMPDIR"] = "/dev/shm"
import lib

ENGINE = os.path.join(os.environ["BUILD"], "crash_engine")
start, _ = lib.organisation(60, "2026-03-02", ["bravo-week", "yearly-talk", "leave-hours"])


def fresh(name):
    folder = os.path.join(lib.scratch, name)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(start, folder)
    return folder


def run(state, crash_at, *stretches):
    return subprocess.run([ENGINE, state, lib.RULES, str(crash_at), *stretches], capture_output=True)


def contents(state):
    """All rows but what counts attempts, and all files of the spool."""
    rows = {}
    with sqlite3.connect(f"{state}/nudged.db") as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [c[1] for c in db.execute(f"PRAGMA table_info({table})") if c[1] not in ("attempts", "lease")]
            rows[table] = sorted(db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall(), key=str)
    files = {os.path.relpath(p, state): open(p, "rb").read() for p in glob.glob(f"{state}/spool/*/*")}
    return rows, files


span = ("2026-03-02T00:00:00Z", "2026-03-16T23:00:00Z")
golden = fresh("golden")
told = run(golden, 0, *span)
assert told.returncode == 0, told.stderr
commits = int(told.stderr.split()[-2])
want = contents(golden)
lib.check(len(want[1]) >= 40, f"{len(want[1])} files in the spool")
lib.check(lib.nudge("status", "--deep", state=golden).returncode == 0, "the golden run is sound")
step = max(1, commits // int(os.environ.get("CRASHES", commits)))  # CRASHES=60: sixty of them
for at in range(1, commits + 1, step):
    state = fresh("crashed")
    lib.check(run(state, at, *span).returncode == 9, f"it died at commit {at}")
    again = run(state, 0, *span)
    lib.check(again.returncode == 0, f"it came back after commit {at}: {again.stderr}")
    got = contents(state)
    for table in want[0]:
        lib.check(got[0][table] == want[0][table], f"after commit {at} the table {table} is as ever")
    lib.check(got[1] == want[1], f"after commit {at} the spool is as ever")
print(commits, "commits, every", step)

state = fresh("down")
lines = [json.loads(l) for l in run(state, 0, "2026-03-02T00:00:00Z", "2026-03-09T08:00:00Z",
                                     "2026-03-16T12:00:00Z", "2026-03-27T23:00:00Z").stdout.splitlines()]
after = [l for l in lines if l["time"][:10] == "2026-03-16" and l["verdict"] == "send"]
per_person = Counter(l["person"] for l in after)
lib.check(max(per_person.values(), default=0) <= 1, "after a week of downtime nobody gets two")
lib.check(len(after) <= 13, f"nothing is piled up: {len(after)} messages on the day it came back")
lib.check(lib.nudge("status", "--deep", state=state).returncode == 0, "sound after downtime")

state = fresh("back")
lines = [json.loads(l) for l in run(state, 0, "2026-03-02T00:00:00Z", "2026-03-12T10:00:00Z",
                                     "2026-03-12T09:00:00Z", "2026-03-20T23:00:00Z").stdout.splitlines()]
twice = Counter((l["person"], l["run"], l["occurrence"]) for l in lines if l["verdict"] != "wait")
lib.check(max(twice.values()) == 1, "a clock set back an hour decides nothing twice")
lib.check(len(twice) == sum(twice.values()), "each decision stands alone")
files = glob.glob(f"{state}/spool/*/*")
lib.check(len(files) == len([l for l in lines if l["verdict"] == "send"]), "one file a message")
lib.finish("crash")
