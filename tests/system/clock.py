"""Downtime, steps of the clock, 1970 and 2099: what people get, and what stands still (F45, F46, F48)."""
import ctypes
import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from datetime import datetime

import lib

ENGINE = os.path.join(os.environ["BUILD"], "crash_engine")
start, _ = lib.organisation(240, "2026-03-02", ["bravo-week", "yearly-talk", "leave-hours"])
WEEK = ("2026-03-02T00:00:00Z", "2026-03-09T08:00:00Z")
UP = 7 * 86400 + 8 * 3600  # what goes by in WEEK


def fresh(name):
    folder = os.path.join(lib.scratch, name)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(start, folder)
    return folder


def run(state, *steps, rules=lib.RULES):
    """Decisions, and whether the clock was right after each stretch."""
    told = subprocess.run([ENGINE, state, rules, "0", *steps], capture_output=True)
    lib.check(told.returncode == 0, f"{steps}: {told.stderr}")
    words = [w for w in told.stderr.decode().splitlines() if w in ("right", "suspect")]
    return [json.loads(line) for line in told.stdout.splitlines()], words


def count(state, sql):
    with sqlite3.connect(f"{state}/nudged.db") as db:
        return db.execute(sql).fetchone()[0]


def everything(state):
    with sqlite3.connect(f"{state}/nudged.db") as db:
        return {t: sorted(db.execute(f"SELECT * FROM {t}").fetchall(), key=str)
                for (t,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() if t != "meta"}


def date(text):
    return datetime.fromisoformat(text[:10])


def utc(text):
    """Seconds since 1970."""
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def sends(lines, since):
    return [l for l in lines if l["verdict"] == "send" and utc(l["time"]) >= utc(since)]


# ---- downtime, without any time server: it goes on by itself, without a pile and slowly ----
# the machine went on, slept, or was started again: all the same
for name, back, until in (("hour", "2026-03-10T11:00:00Z", "2026-03-10T23:00:00Z"), ("day", "2026-03-11T08:00:00Z", "2026-03-11T23:00:00Z"),
                          ("week", "2026-03-17T08:00:00Z", "2026-03-17T23:00:00Z"), ("year", "2027-03-09T08:00:00Z", "2027-03-09T23:00:00Z")):
    for boot, up in ((1, None), (2, 30)):
        state = fresh("down")
        end = "2026-03-10T10:00:00Z"
        gone = utc(back) - utc(WEEK[0])
        lines, words = run(state, "clock=0,1,0", WEEK[0], end, "restart", f"clock={up or gone},{boot},0", back, until)
        lib.check(words == ["right", "right"], f"a {name} of downtime is no step: {words}")
        after = sends(lines, back)
        lib.check(max(Counter(l["person"] for l in after).values(), default=0) <= 1, f"after a {name} nobody gets two")
        occurrences = Counter((l["person"], l["run"], l["occurrence"]) for l in lines if l["verdict"] != "wait")
        lib.check(max(occurrences.values()) == 1, f"after a {name} nothing is decided twice")
        for l in after:
            late = 3 if l["campaign"] == "yearly-talk" else 1  # days, of the campaign
            lib.check((date(l["time"]) - date(l["occurrence"])).days <= late, f"after a {name} nothing older than `late` is sent: {l}")
        lib.check(lib.nudge("status", "--deep", state=state).returncode == 0, f"sound after a {name}")
print("downtime is no step")

# ---- the ramp: 10 % of the busiest hour in 15 minutes, half in the hour, then all ----
state = fresh("ramp")
rules = shutil.copytree(lib.RULES, os.path.join(lib.scratch, "rules"))
path = f"{rules}/campaigns/bravo-week/campaign.yaml"
text = open(path).read()
open(path, "w").write(text.replace("at: 09:30-11:30", "at: 08:00-18:00"))
run(state, WEEK[0], "2026-03-03T06:59:00Z", rules=rules)  # just before the window
rate = max(20, count(state, "SELECT max(n) FROM (SELECT count(*) n FROM due GROUP BY at / 3600000000)"))
lines, _ = run(state, "2026-03-03T12:00:00Z", "2026-03-03T16:59:00Z", rules=rules)
since = lambda l: utc(l["time"]) - utc("2026-03-03T12:00:00Z")
later = [l for l in lines if l["verdict"] == "send"]
first, hour = ([l for l in later if since(l) < seconds] for seconds in (900, 3600))
lib.check(len(later) > rate, f"there was something to hold back: {len(later)} of {rate}")
lib.check(0 < len(first) <= -(-rate // 10), f"{len(first)} of {rate} in the first quarter")
lib.check(len(first) < len(hour) <= -(-rate // 2), f"{len(hour)} of {rate} in the first hour")
lib.check(len(hour) >= rate // 2 - 2, f"it is a ramp and not a stop: {len(hour)} of {rate}")
waits = [l for l in lines if "after-downtime" in l["reasons"]]
lib.check(waits and all(l["verdict"] == "wait" for l in waits), "who waits is told why")
print(f"ramp: {len(first)}, {len(hour)}, {len(later)} of a busiest hour of {rate}")

# ---- steps: everything stands still until it is confirmed, and nothing is lost ----
for name, wall, sticky in (("2099", "2099-03-09T08:01:00Z", True), ("1970", "1970-01-01T00:01:00Z", False),
                           ("two hours back", "2026-03-09T06:01:00Z", True), ("a month forward", "2026-04-09T08:01:00Z", True)):
    state = fresh("step")
    run(state, "clock=0,1,0", *WEEK)
    before = everything(state)
    to = wall[:11] + "23:00:00Z"
    lines, words = run(state, f"clock={UP + 60},1,0", wall, to)
    lib.check(words == ["suspect"] and not lines, f"{name}: suspect and silent: {words}, {len(lines)} decisions")
    lib.check(everything(state) == before, f"{name}: not a row has changed")
    status = lib.nudge("status", state=state).stdout.decode()
    lib.check(count(state, "SELECT value FROM meta WHERE key = 'clock.suspect'") != "0", f"{name}: it is remembered")
    # a restart of process or machine does not wash it off
    _, words = run(state, f"clock={UP + 60 + utc(to) + 60 - utc(wall)},1,0", wall[:11] + "23:01:00Z", wall[:11] + "23:02:00Z", "restart",
                   "clock=5,2,0", wall[:11] + "23:03:00Z", wall[:11] + "23:09:00Z")
    lib.check(words == ["suspect"] * 2, f"{name}: still suspect after restarts: {words}")
    # put right: by hand to where it was, within the same start of the machine
    again = shutil.copytree(state, state + "-again")
    lines, words = run(again, f"clock={UP + 86400},1,0", "2026-03-10T08:00:00Z", "2026-03-10T23:00:00Z")
    lib.check(words == ["right"] and lines, f"{name}: put right by hand it goes on: {words}")
    shutil.rmtree(again)
    # or a time server confirms what it says (never 1970)
    lines, words = run(state, "clock=5,3,1", wall[:11] + "23:10:00Z", wall[:11] + "23:20:00Z")
    lib.check(words == ["right" if sticky else "suspect"], f"{name} confirmed: {words}")
    lib.check(lib.nudge("status", "--deep", state=state).returncode == 0, f"sound after {name}")
    shutil.rmtree(state)
print("steps are suspect")

# ---- somebody's word ----
state = fresh("word")
_, words = run(state, "clock=0,1,0", *WEEK, "clock=99999999,1,0", "2026-03-20T08:00:00Z", "2026-03-20T09:00:00Z",
               "ok", "2026-03-20T09:01:00Z", "2026-03-20T20:00:00Z")
lib.check(words == ["right", "suspect", "right"], f"clock-ok ends it: {words}")
lib.check(count(state, "SELECT count(*) FROM audit WHERE action = 'clock-ok'") == 1, "and is on record")
told = subprocess.run([ENGINE, state, lib.RULES, "0", "clock=0,1,0", "1970-01-01T00:00:00Z", "1970-01-01T00:05:00Z", "ok"], capture_output=True)
lib.check(told.returncode == 1, "nobody's word makes it 1970")

# ---- the real daemon on the real clock: its memory lies in the future ----
class Timex(ctypes.Structure):
    _fields_ = [("modes", ctypes.c_uint), ("rest", ctypes.c_char * 400)]


synchronised = ctypes.CDLL(None).adjtimex(ctypes.byref(Timex())) not in (-1, 5)
state = fresh("daemon")
with sqlite3.connect(f"{state}/nudged.db") as db:
    for key, value in (("wall", 4080000000000000), ("up", 0), ("boot", 7)):
        db.execute("INSERT INTO meta VALUES(?, ?)", (f"clock.{key}", str(value)))
log = os.path.join(lib.scratch, "log")
daemon = subprocess.Popen([os.environ["NUDGED"], "--state", state, "--rules", lib.RULES], stderr=open(log, "w"))


def wait(condition, sentence):
    end = time.monotonic() + 30
    while time.monotonic() < end and not condition():
        time.sleep(0.05)
    lib.check(condition(), sentence + ": " + open(log).read())


enrolled = lambda: count(state, "SELECT count(*) FROM enrolment") > 0
try:
    wait(lambda: "at work" in open(log).read(), "it starts")
    if synchronised:
        wait(enrolled, "a time server confirms the clock")
    else:
        wait(lambda: "was set back" in open(log).read(), "the log says it")
        status = lib.nudge("status", state=state).stdout.decode()
        lib.check("SUSPECT: it was set back; noticed at" in status, status)
        lib.check(not enrolled(), "nothing was planned")
    for person in ("P1", "P2"):  # what people tell is taken, at a time that was right
        lib.nudge("event", person, "questionnaire.finished", state=state)
    lib.nudge("clock-ok", state=state)
    wait(enrolled, "clock-ok lets it go on")
    lib.check("clock       right" in lib.nudge("status", state=state).stdout.decode(), "status says so")
    lib.check(open(log).read().count("was set back") <= 1, "the log says it once")
finally:
    daemon.terminate()
    lib.check(daemon.wait(20) == 0, "it ends")
lib.finish("clock")
