"""The disk is full before anything is started: a stop is recorded all the same, and the service starts."""
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

sys.path.insert(0, os.path.join(os.environ["SRC"], "tests/delivery"))
from alone import alone  # noqa: E402

alone(__file__, "mount", user=True)

import lib  # noqa: E402

NUDGED, ENGINE = os.environ["NUDGED"], os.path.join(os.environ["BUILD"], "crash_engine")
full = os.path.join(lib.scratch, "full")
os.makedirs(full)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "nudged-test", full], check=True)
log = os.path.join(lib.scratch, "log")
daemon, run = None, "bravo-week-2026-03-02"


def fill():
    """To the last byte: what is left by a page goes too."""
    with open(f"{full}/filler", "ab", buffering=0) as out:
        for size in (1 << 20, 4096, 1):
            try:
                while out.write(b"x" * size) == size:
                    pass
            except OSError:
                pass


def start(fresh=False):
    """None, or what is wrong.  fresh: for the first time, and ended at once."""
    global daemon
    daemon = subprocess.Popen([NUDGED, "--state", state, "--rules", lib.RULES, "--foreground"], stderr=open(log, "w"))
    end = time.monotonic() + 30
    while "at work" not in open(log).read() and daemon.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    if "at work" not in open(log).read() or fresh and (daemon.terminate(), daemon.wait(30))[1] != 0:
        return f"{daemon.poll()} {open(log).read()[-600:]}"


def stopped():
    with closing(sqlite3.connect(f"file:{state}/nudged.db?mode=ro", uri=True)) as db:
        return {r[0] for r in db.execute("SELECT p.id FROM answer a JOIN person p ON p.row = a.person WHERE answer = 'stop'")}


try:
    built, _ = lib.organisation(40, "2026-03-02", ["bravo-week"])
    subprocess.run([ENGINE, built, lib.RULES, "0", "2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"], check=True, capture_output=True)
    with sqlite3.connect(f"{built}/nudged.db") as db:
        people = [r[0] for r in db.execute("SELECT p.id FROM enrolment e JOIN person p ON p.row = e.person ORDER BY p.row")]
    lib.check(len(people) >= 10, f"{len(people)} people in the run")
    state = os.path.join(full, "state")
    shutil.copytree(built, state)
    lib.nudge("answer", people[9], run, "later", state=state)
    lib.check(os.stat(f"{state}/reserve").st_blocks * 512 >= 1 << 20, "the reserve takes its room")
    lib.check(not os.path.exists(f"{state}/nudged.db-shm"), "nothing has it open")
    # as long as there is a reserve: each start takes a little of it, and a stop finds enough
    for i in range(5):
        fill()
        got = lib.nudge("answer", people[i], run, "stop", state=state, ok=(0, 1, 3))
        lib.check(got.returncode == 0, f"stop {i} on a full disk: {got.stderr.decode()[-400:]}")
    lib.check(b"disk is full" in got.stderr, f"and it says so: {got.stderr.decode()[-400:]}")
    os.unlink(f"{full}/filler")
    lib.check(stopped() >= set(people[:5]), f"they are there: {stopped()}")
    lib.nudge("status", "--deep", state=state)
    lib.check(os.stat(f"{state}/reserve").st_size == 1 << 20, "with room again the reserve is whole")
    # the service: started on a full disk, stopped on a full disk, a stop in between
    got = start(fresh=True)
    lib.check(got is None, f"the service starts and ends: {got}")
    fill()
    got = start()
    lib.check(got is None, f"it starts on a full disk: {got}")
    fill()
    got = lib.nudge("answer", people[7], run, "stop", state=state, ok=(0, 1, 3))
    lib.check(got.returncode == 0, f"a stop while it runs: {got.stderr.decode()[-400:]}")
    daemon.terminate()
    lib.check(daemon.wait(30) == 0, f"it ends as ever: {open(log).read()[-600:]}")
    os.unlink(f"{full}/filler")
    lib.check(people[7] in stopped(), "the stop is there")
    lib.check(lib.nudge("status", "--deep", state=state).returncode == 0, "the database is sound")
    # nothing in reserve at all: refused with the reason
    fill()
    os.unlink(f"{state}/reserve")
    fill()
    got = lib.nudge("answer", people[8], run, "stop", state=state, ok=(0, 1, 3))
    lib.check(got.returncode == 3 and b"disk is full" in got.stderr, f"without a reserve it says why: {got.returncode} {got.stderr.decode()[-400:]}")
    got = start()
    lib.check(got is not None and got.startswith("3 ") and "disk is full" in got, f"so does the service: {got}")
finally:
    if daemon is not None and daemon.poll() is None:
        daemon.kill()
        daemon.wait()
    subprocess.run(["umount", "-l", full])
lib.finish("full disk")
