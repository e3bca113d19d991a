"""A country changes its clock: who lives there hears nothing later than their own wall clock says."""
import json
import os
import shutil
import sqlite3
import subprocess

import lib

ENGINE = os.path.join(os.environ["BUILD"], "crash_engine")
start, roster = lib.organisation(120, "2026-03-02", ["bravo-week"])
SYSTEM = "/usr/share/zoneinfo"


def zones(name, amsterdam):
    folder = os.path.join(lib.scratch, name)
    for zone in ("Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"):
        os.makedirs(os.path.dirname(f"{folder}/{zone}"), exist_ok=True)
        shutil.copyfile(f"{SYSTEM}/{amsterdam if zone == 'Europe/Amsterdam' else zone}", f"{folder}/{zone}")
    return folder


def run(state, folder, *steps, crash=0):
    told = subprocess.run([ENGINE, state, lib.RULES, str(crash), *steps], capture_output=True, env={**os.environ, "TZDIR": folder})
    lib.check(told.returncode == (9 if crash else 0), f"{steps}: {told.returncode} {told.stderr}")
    return [json.loads(line) for line in told.stdout.splitlines()], told.stderr.decode().split()


def rows(state):
    with sqlite3.connect(f"{state}/nudged.db") as db:
        return {t: db.execute(f"SELECT * FROM {t} ORDER BY 1, 2, 3").fetchall() for t in ("due", "decision", "contact")}


usual, east = zones("usual", "Europe/Amsterdam"), zones("east", "Europe/Moscow")
west = zones("west", "Atlantic/Azores")
run(start, usual, "2026-03-02T00:00:00Z", "2026-03-02T20:00:00Z")
later = ("2026-03-02T20:01:00Z", "2026-03-03T23:00:00Z")
before = None
for name, folder, offset in (("as it was", usual, "+01:00"), ("two hours further east", east, "+03:00"), ("west", west, "-01:00")):
    state = shutil.copytree(start, os.path.join(lib.scratch, "state-" + name.replace(" ", "-")))
    lines, _ = run(state, folder, *later)
    here = [l for l in lines if l["time"].endswith(offset) and l["verdict"] == "send"]
    lib.check(len(here) >= 15, f"{name}: {len(here)} messages")
    lib.check(all("09:30" <= l["time"][11:16] < "11:31" for l in here), f"{name}: all within their window: {[l['time'] for l in here][:3]}")
    lib.check(not [l for l in lines if l["time"].endswith(offset) and l["verdict"] == "skip" and "late" in l["reasons"]], f"{name}: nobody was missed")
    people = {l["person"] for l in here}
    lib.check(before is None or people == before[0], f"{name}: the same people")
    others = [l for l in lines if l["person"] not in people and l["verdict"] == "send"]
    lib.check(before is None or others == before[1], f"{name}: nothing changes elsewhere")
    before = (people, others)

# death at every commit, while the rows are moved too
golden = shutil.copytree(start, os.path.join(lib.scratch, "golden"))
commits = int(run(golden, east, *later)[1][-2])
for at in range(1, min(commits, 12) + 1):
    state = shutil.copytree(start, os.path.join(lib.scratch, f"crashed{at}"))
    run(state, east, *later, crash=at)
    run(state, east, *later)
    lib.check(rows(state) == rows(golden), f"after commit {at} all is as ever")
lib.finish("zone change")
