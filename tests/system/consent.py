"""Stop, pause, cancel and erasure hold also where several things happen at once: other runs, a requeue, a tick that is long."""
import json
import os
import re
import sqlite3
import subprocess
from contextlib import closing

import lib

ENGINE = os.path.join(os.environ["BUILD"], "crash_engine")
STATES = ["pending", "leased", "delivered", "uncertain", "expired", "cancelled", "dead"]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def rule_base(name, rhythm="every: 1 week, at: 10:00, times: 4", more="", messenger="hr: { name: Team HR, reply_to: hr@zorg.example }"):
    base = os.path.join(lib.scratch, name)
    write(f"{base}/house.yaml", f"""languages: [en]
time_zone: Europe/Amsterdam
angles: [health]
messengers: {{ {messenger} }}
approvals: [hr]
""")
    write(f"{base}/campaigns/walk/campaign.yaml", f"""title: {{ en: A walk }}
hook: {{ en: Good now }}
audience: {{ role: employee }}
rhythm: {{ {rhythm} }}
channels: {{ email: 1 }}
{more}
""")
    for i in range(3):
        write(f"{base}/campaigns/walk/messages/m{i}.en.md", f"""---
angle: health
frame: gain
functions: [enable]
---
# {{{{first_name}}}}, a walk {i}?

A walk. {{{{messenger.name}}}}
""")
    return base


class Place:
    def __init__(self, name, rules, people=6, extra=""):
        self.rules, self.state = rules, os.path.join(lib.scratch, name)
        csv = os.path.join(lib.scratch, name + ".csv")
        write(csv, "id,name,email,team,role,ambassador\n" + "".join(
            f"P{i},Person {i},p{i}@zorg.example,a,employee,\n" for i in range(people)) + extra)
        self.nudge("people", "import", csv)

    def nudge(self, *args, ok=(0,)):
        return lib.nudge(*args, rules=self.rules, state=self.state, ok=ok)

    def run(self, start):
        run = self.nudge("schedule", "walk", "--start", start).stdout.decode().strip()
        self.nudge("approve", run, "--as", "hr")
        return run

    def live(self, *steps, env=None):
        told = subprocess.run([ENGINE, self.state, self.rules, "0", *steps], capture_output=True, env={**os.environ, **(env or {})})
        lib.check(told.returncode == 0, f"{steps}: {told.stderr[-300:]}")
        return [l for l in map(json.loads, told.stdout.splitlines()) if l["verdict"] == "send"]

    def rows(self, sql, *values):
        with closing(sqlite3.connect(f"{self.state}/nudged.db")) as db, db:
            return db.execute(sql, values).fetchall()

    def deliveries(self):
        return {(i, o): STATES[s] for i, o, s in self.rows(
            "SELECT p.id, d.occurrence, d.state FROM delivery d JOIN person p ON p.row = d.person")}


base = rule_base("rules")

# ---- a stop holds in every run of the campaign, also in one that comes later ----
p = Place("later-run", base)
first = p.run("2026-03-02")
lib.check(len(p.live("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")) == 6, "everybody hears the first")
p.nudge("answer", "P1", first, "stop")
second = p.run("2026-03-09")
sent = p.live("2026-03-09T00:00:00Z", "2026-03-27T00:00:00Z")
lib.check({l["person"] for l in sent if l["run"] == second} == {f"P{i}" for i in (0, 2, 3, 4, 5)},
          f"who stopped hears nothing of a new run: {sorted({l['person'] for l in sent if l['run'] == second})}")
lib.check(not [l for l in sent if l["person"] == "P1"], "nor of the old one")

# ---- a stop before the run has begun, or while no service runs: nobody has to be written to first ----
p = Place("before", base)
run = p.run("2026-03-02")
p.nudge("answer", "P1", run, "stop")
p.nudge("answer", "P1", run, "stop")
lib.check(b"not in the run" in p.nudge("answer", "P2", run, "done", ok=(1,)).stderr, "any other answer answers something")
sent = p.live("2026-03-02T00:00:00Z", "2026-03-27T00:00:00Z")
lib.check({l["person"] for l in sent} == {f"P{i}" for i in (0, 2, 3, 4, 5)}, "who stopped beforehand hears nothing, the others do")
lib.check(p.nudge("status", "--deep").returncode == 0, "sound")

# ---- the same where an event enrols, before and after the stop; and the group without messages stays without ----
event = rule_base("event", "on_event: go, after: [1 minute, 2 days]", "trial: { holdout: 50% }")
p = Place("event-run", event, people=40)
first = p.run("2026-03-02")
p.live("2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z")
held = {i for i, in p.rows("SELECT p.id FROM enrolment e JOIN person p ON p.row = e.person WHERE e.state = 4")}
lib.check(10 < len(held) < 30, f"{len(held)} of 40 are held out")
q = Place("event-first", event, people=40)
q.run("2026-03-02")
for i in range(40):  # told before anybody was enrolled
    q.nudge("event", f"P{i}", "go", "--at", "2026-03-02T08:00:00Z")
sent = {l["person"] for l in q.live("2026-03-02T08:00:00Z", "2026-03-02T09:00:00Z")}
states = {i: s for i, s in q.rows("SELECT p.id, e.state FROM enrolment e JOIN person p ON p.row = e.person")}
lib.check(sent == set(states) - {i for i in states if states[i] == 4} and 10 < len(sent) < 30,
          f"held out whoever enrols first, the tick or the event: {len(sent)} of 40 heard, {sum(s == 4 for s in states.values())} held")
someone = min({f"P{i}" for i in range(40)} - held)
p.nudge("answer", someone, first, "stop")
p.run("2026-03-02")
p.nudge("event", someone, "go", "--at", "2026-03-03T08:00:00Z")
lib.check(not p.live("2026-03-03T08:00:00Z", "2026-03-06T09:00:00Z"), "an event of who stopped begins nothing in a new run")

# ---- an answer to a cancelled run is kept, and plans nothing ----
p = Place("answer-cancelled", base)
run = p.run("2026-03-02")
p.live("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")
p.nudge("cancel", run)
for answer in ("later", "stop"):
    p.live("2026-03-03T01:00:00Z", "2026-03-03T01:00:00Z", f"answer=P1,{run},{answer}")
    lib.check(p.rows("SELECT count(*) FROM due") == [(0,)], f"{answer}: nothing is planned: {p.rows('SELECT * FROM due')}")
lib.check(len(json.loads(p.nudge("people", "export", "P1").stdout)["answers"]) == 2, "both are kept")

# ---- a dead row is not sent again by hand to who stopped meanwhile, or of a cancelled run ----
for how in ("stop", "cancel", "left", "nothing"):
    p = Place("requeue-" + how, base)
    run = p.run("2026-03-02")
    p.live("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z")
    row, = p.rows("SELECT d.row FROM delivery d JOIN person p ON p.row = d.person WHERE p.id = 'P1'")[0]
    p.rows("UPDATE delivery SET state = 6, reason = 'mailbox full' WHERE row = ?", row)
    if how == "stop":
        p.nudge("answer", "P1", run, "stop")
    elif how == "cancel":
        p.nudge("cancel", run)
    elif how == "left":
        p.rows("UPDATE person SET left_at = 1 WHERE id = 'P1'")
    got = p.nudge("queue", "--requeue", f"d{row}", ok=(0, 1))
    if how == "nothing":
        lib.check(got.returncode == 0, f"it may wait again: {got.stderr}")
        continue
    lib.check(got.returncode == 1 and b"stopped, left, or the run is over" in got.stderr, f"{how}: refused: {got.returncode} {got.stderr}")
    lib.check(p.rows("SELECT state FROM delivery WHERE row = ?", row) == [(6,)], f"{how}: and stays as it is")

# ---- a pause or a cancel in the middle of a long tick: what was not decided yet is not sent ----
p = Place("amid", base, people=2500)
run = p.run("2026-03-02")
p.live("2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z")
for how in ("pause", "cancel"):
    sent = []
    for at in range(2, 8):
        q = Place(f"amid-{how}-{at}", base, people=1)
        subprocess.run(["cp", "-a", p.state + "/.", q.state], check=True)
        sent.append(len(q.live("2026-03-02T09:00:00Z", "2026-03-02T09:01:00Z", env={"AMID": f"{at},{run},{how}"})))
    lib.check(sent == sorted(sent) and {1000, 2000} < set(sent), f"{how} after each commit of a tick: {sent} were sent")
for how in ("pause", "cancel"):  # while people are being enrolled
    enrolled = []
    for at in range(1, 6):
        p = Place(f"enrol-{how}-{at}", base, people=2500)
        run = p.run("2026-03-02")
        p.live("2026-03-02T08:00:00Z", "2026-03-02T08:01:00Z", env={"AMID": f"{at},{run},{how}"})
        enrolled.append(p.rows("SELECT count(*) FROM enrolment")[0][0])
        lib.check(not p.live("2026-03-02T08:10:00Z", "2026-03-03T08:01:00Z"), f"{how} at {at}: nobody hears anything")
        if how == "pause":
            p.nudge("resume", run)
            n = len(p.live("2026-03-09T06:00:00Z", "2026-03-10T06:00:00Z"))
            lib.check(n == 2500, f"resumed: the rest is enrolled too: {n}")
    lib.check(enrolled == sorted(enrolled) and {1000, 2000} & set(enrolled), f"{how} after each commit: {enrolled} were enrolled")

# ---- a pause holds what waits, for as long as it lasts; what expired meanwhile is not sent ----
paper = rule_base("paper", "every: 2 weeks, at: 10:00, times: 2")
write(f"{paper}/campaigns/walk/campaign.yaml", open(f"{paper}/campaigns/walk/campaign.yaml").read().replace("email: 1", "print: 1"))
write(f"{lib.scratch}/hour.yaml", "print_at: 16:00\n")
hour = {"CONFIG": f"{lib.scratch}/hour.yaml"}
for resumed, state in (("2026-03-02T14:00:00Z", "delivered"), ("2026-03-03T10:00:00Z", "delivered"), ("2026-03-04T10:00:00Z", "expired")):
    p = Place("held-" + resumed[:13], paper)
    run = p.run("2026-03-02")
    p.live("2026-03-02T00:00:00Z", "2026-03-02T12:00:00Z", env=hour)
    p.nudge("pause", run)
    p.live("2026-03-02T12:01:00Z", resumed, env=hour)
    p.live(resumed, resumed, "restart", resumed, resumed, env=hour)
    lib.check(set(p.deliveries().values()) == {"pending"}, f"{resumed}: held, also over a restart: {p.deliveries()}")
    p.nudge("resume", run)
    p.live(resumed, resumed[:10] + "T16:00:00Z", env=hour)
    lib.check(set(p.deliveries().values()) == {state}, f"{resumed}: {state}: {p.deliveries()}")

# ---- an erased colleague signs nothing any more, at once ----
p = Place("erased-face", rule_base("faces", messenger="amb: { from: ambassadors }"), extra="A1,Canary Bird,a1@zorg.example,a,manager,yes\nA2,Robin Red,a2@zorg.example,a,manager,yes\n")
run = p.run("2026-03-02")
p.rows("UPDATE person SET changed_at = changed_at - 5 WHERE id = 'A1'")  # not the one who changed last
p.live("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z", "forget=A1", "2026-03-03T00:01:00Z", "2026-03-27T00:00:00Z")
mails = {path: open(path, errors="replace").read() for folder, _, names in os.walk(p.state + "/spool") for path in (f"{folder}/{n}" for n in names)}
before = [m for path, m in mails.items() if "/2026-03-02/" in path]
later = [m for path, m in mails.items() if "/2026-03-02/" not in path]
lib.check(any("Canary" in m for m in before) and len(later) > 6, f"she signed before: {len(before)}, {len(later)}")
lib.check(not any("Canary" in m or "a1@zorg" in m for m in later), "and not after")
lib.finish("consent")
