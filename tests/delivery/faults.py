"""The service dies, the disk fails: none lost, none twice, none unexplained (RELIABILITY.md 7: F01, F02, F12, F14, F65).

KILLS, CALLS: how many deaths at random moments, and at how many system calls of one send; `make faults` runs all.
"""
import os
import random
import re
import signal
import subprocess
import time

from alone import alone

alone(__file__, "mount", user=True)  # F16 mounts a small disk

import place as lib  # noqa: E402
from place import Place, Sink, check, join, stop, wait  # noqa: E402

KILLS = int(os.environ.get("KILLS", "12"))
CALLS = int(os.environ.get("CALLS", "24"))  # 0: every one
draw = random.Random(5)


def counted(place):
    return sum(place.counts().values()) == place.n


# F01: killed at random moments, again and again, until everything is settled
sink = Sink("f01", dot_delay=0.002)
place = Place(120, sink.relay(connections=4), "f01")
deaths = 0
while deaths < KILLS:
    before = sink.count()
    daemon = place.start()
    end = time.monotonic() + 5
    while sink.count() == before and not place.settled() and time.monotonic() < end:
        time.sleep(0.001)
    time.sleep(draw.uniform(0, 0.04))
    daemon.kill()
    daemon.wait()
    deaths += 1
daemon = place.start()
wait("F01: all is settled in the end", place.settled, 120)
stop(daemon)
rows = join(place, sink, "F01")
doubt = [r for r in rows if rows[r][0] == "uncertain"]
check(len(doubt) <= deaths * 4, f"F01: at most one mail a connection and death is in doubt: {len(doubt)} of {deaths} deaths")
print("F01:", deaths, "deaths,", place.counts())
sink.end()

# F12: killed between the server's 250 and our commit, at every tenth mail
sink = Sink("f12", kill_after="10:" + os.path.join(lib.scratch, "f12", "lock"))
place = Place(60, sink.relay(connections=2), "f12")
starts = 0
while starts < 40 and not (counted(place) and place.settled()):
    daemon = place.start()
    starts += 1
    end = time.monotonic() + 20
    while daemon.poll() is None and not place.settled() and time.monotonic() < end:
        time.sleep(0.02)
    if daemon.poll() is None:
        stop(daemon)
rows = join(place, sink, "F12")
check(starts >= 4, f"F12: it died several times ({starts} starts)")
check(set(r[0] for r in rows.values()) <= {"delivered", "uncertain"}, f"F12: {place.counts()}")
print("F12:", starts, "starts,", place.counts())
sink.end()

# F02: killed at every system call of one send
sink = Sink("f02")
trace = os.path.join(lib.scratch, "trace")


def once(name, *inject):
    """One mail, one start under strace.  Returns the place, and whether the service was killed."""
    p = Place(1, sink.relay(), name)
    daemon = p.start(("strace", "-f", "-qq", "-o", trace, *inject))
    end = time.monotonic() + 20
    while daemon.poll() is None and not (counted(p) and p.settled()) and time.monotonic() < end:
        time.sleep(0.02)
    if daemon.poll() is None:
        # the tracer passes the signal on to the traced one only when asked by pid
        pid = open(f"{p.state}/lock").read().split()
        if pid:
            os.kill(int(pid[0]), signal.SIGTERM)
        daemon.wait(30)
    return p, daemon.returncode == -signal.SIGKILL


once("f02-whole")
lines = open(trace, errors="replace").read().splitlines()
calls = [l for l in lines if re.match(lines[0].split()[0] + r" +\w+\(", l)]
names = [re.match(r"\d+ +(\w+)", l).group(1) for l in calls]
begin = next((i for i, l in enumerate(calls) if "EHLO" in l or "connect(" in l and f"htons({sink.port})" in l), 0)
points = range(begin, len(calls))
if CALLS:
    answer = next(i for i, l in enumerate(calls) if "250 2.0.0 taken" in l)
    points = sorted({answer, *draw.sample(points, min(CALLS, len(points)))})
check(len(points) > 10, f"F02: {len(calls)} calls, the send begins at {begin}")
total, killed = {}, 0
for at in points:
    before = sink.count()
    # strace counts each call by its name
    p, dead = once(f"f02-{at}", "-e", f"inject={names[at]}:signal=KILL:when={names[:at + 1].count(names[at])}")
    killed += dead
    daemon = p.start()
    wait(f"F02: settled after death at call {at}", p.settled, 30)
    stop(daemon)
    came = sink.count() - before
    for state, _, _ in p.rows().values():
        total[state] = total.get(state, 0) + 1
        check(came <= 1, f"F02: death at call {at}: the mail came {came} times")
        check(state == "uncertain" or (state == "delivered" and came == 1), f"F02: death at call {at}: {state}, came {came}")
# the last calls of all vary from run to run, so some of them may not come
check(killed > len(points) * 3 // 4, f"F02: it was killed at {killed} of {len(points)} calls")
check(total.get("uncertain", 0) > 0 and total.get("delivered", 0) > 0, f"F02: some deaths fall between dot and answer: {total}")
print("F02:", len(points), "of", len(calls) - begin, "calls of a send,", killed, "deaths,", total)
sink.end()

# F14: the disk fails: nothing more leaves until it can be recorded, nothing is lost
for name, calls, when in (("sync", "fdatasync,fsync", "6..9"), ("write", "pwrite64", "40..55")):
    sink = Sink(f"f14-{name}")
    place = Place(20, sink.relay(connections=2), f"f14-{name}")
    daemon = place.start(("strace", "-f", "-qq", "-o", trace, "-P", f"{place.state}/nudged.db-wal", "-e", f"trace={calls}",
                          "-e", f"inject={calls}:error=EIO:when={when}"))
    wait(f"F14, {name}: all is settled once the disk is well again", lambda: counted(place) and place.settled(), 90)
    pid = open(f"{place.state}/lock").read().split()
    os.kill(int(pid[0]), signal.SIGTERM)
    daemon.wait(30)
    rows = join(place, sink, f"F14, {name}")
    check("disk I/O error" in place.said() and open(trace).read().count("INJECTED") > 3, f"F14, {name}: it failed, and that was told")
    check(set(r[0] for r in rows.values()) == {"delivered"}, f"F14, {name}: {place.counts()}")
    print(f"F14, {name}:", place.counts())
    sink.end()

# F16: the disk is full; a stop is recorded all the same, from the reserve
full = os.path.join(lib.scratch, "full")
os.makedirs(full)


def fill():
    filler = os.open(f"{full}/filler", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(filler, b"x" * 4096):
            pass
    except OSError:
        os.close(filler)


def full_at_work():
    """It becomes full between the mails' leaving and the record of what became of them."""
    sink = Sink("f16", dot_delay=0.02)
    place = Place(60, sink.relay(connections=4), "f16", state="full/busy")
    daemon = place.start()
    wait("F16: some have come", lambda: sink.count() >= 10)
    fill()
    wait("F16: it cannot be recorded", lambda: "nothing more leaves until they can" in place.said())
    # what was leased in time may still leave, and no more
    time.sleep(1)
    came, counts = sink.count(), place.counts()
    check(came <= counts.get("leased", 0) + counts.get("delivered", 0) < place.n, f"F16: {came} came, {counts}")
    time.sleep(1)
    check(sink.count() == came, f"F16: nothing more leaves: {came}, then {sink.count()}")
    os.unlink(f"{full}/filler")
    wait("F16: all is settled once there is room", place.settled)
    check(stop(daemon) == 0, "F16: it ends as ever")
    rows = join(place, sink, "F16")
    check(set(r[0] for r in rows.values()) == {"delivered"}, f"F16: {place.counts()}")
    print("F16: full at work,", came, "had come,", place.counts())
    sink.end()


subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m,mode=0700", "nudged-test", full], check=True)
try:
    full_at_work()
    place = Place(3, "", "full/state")
    daemon = place.start()
    wait("F16: the service is at work", lambda: "at work" in place.said() and counted(place))
    fill()
    got = place.nudge("answer", "P0", place.run, "later", ok=(0, 1, 3))
    check(got.returncode == 3 and b"disk is full" in got.stderr, f"F16: anything else says that the disk is full: {got.stderr[-200:]}")
    got = place.nudge("answer", "P1", place.run, "stop", ok=(0, 1, 3))
    check(got.returncode == 0, f"F16: a stop is recorded on a full disk: {got.stderr[-300:]}")
    os.unlink(f"{full}/filler")
    check(stop(daemon) == 0, "F16: the service goes on and ends as ever")
    check(b'"stop"' in place.nudge("people", "export", "P1").stdout, "F16: and it is there")
    check(place.nudge("status", "--deep").returncode == 0, "F16: the database is sound")
    check(os.path.exists(f"{place.state}/reserve"), "F16: the reserve is made again")
finally:
    lib.end_children()
    subprocess.run(["umount", "-l", full])
print("F16: a full disk")

lib.finish("faults")
