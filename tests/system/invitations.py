"""Invitations that change and end: UID, SEQUENCE and METHOD as calendars need them, and nothing else is sent."""
import email
import email.policy
import glob
import itertools
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time

import icalendar
import vobject

import lib

DRIVER = os.path.join(os.environ["BUILD"], "calendar_driver")
HEADER = "id,name,email,team,time_zone\n"
EVENT = "event: { start: +2 days 12:30, length: 30 minutes, place: Hal, alarm: 10 minutes }"
serial = itertools.count()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def rule_base(name, event=EVENT, campaign=True, text="Elke week, tot {{first_name}} moe is."):
    """A campaign that invites everybody once a week, and one beside it that is never touched."""
    base = os.path.join(lib.scratch, name)
    write(f"{base}/house.yaml", """languages: [nl, en]
time_zone: Europe/Amsterdam
angles: [health]
messengers: { hr: { name: Team HR, reply_to: hr@zorg.example } }
privacy: { smallest_group: 15 }
approvals: [hr]
""")
    for folder in ("walk", "rest"):
        if folder == "walk" and not campaign:
            continue
        write(f"{base}/campaigns/{folder}/campaign.yaml", f"""title: {{ nl: Wandelen {folder} }}
hook: {{ nl: Hallo }}
audience: {{ team: [a, b] }}
rhythm: {{ every: 1 week, on: [monday], at: 09:00, times: 2 }}
channels: {{ calendar: 1 }}
answers: {{ yes: {{ is: done }} }}
""")
        write(f"{base}/campaigns/{folder}/messages/all.nl.md", f"""---
angle: health
frame: gain
functions: [enable]
{event if folder == "walk" else EVENT}
---
# {{{{first_name}}}}, loop je mee ({folder})?

{text}

[Ja]({{{{answer.yes}}}}) of [stop]({{{{answer.stop}}}})
""")
    return base


RULES = rule_base("rules")
PEOPLE = {"A": "a", "B": "a", "C": "b"}


def roster(**zones):
    rows = [f"{i},Naam {i} Zwaluw,{i.lower()}.zwaluw@zorg.example,{team},{zones.get(i, '')}\n"
            for i, team in PEOPLE.items() if zones.get(i) != "gone"]
    return write(os.path.join(lib.scratch, f"people{next(serial)}.csv"), HEADER + "".join(rows))


def begin(campaigns=("walk",)):
    state = os.path.join(lib.scratch, f"state{next(serial)}")
    lib.nudge("people", "import", roster(), rules=RULES, state=state)
    runs = []
    for campaign in campaigns:
        run = lib.nudge("schedule", campaign, "--start", "2027-02-01", rules=RULES, state=state).stdout.decode().strip()
        lib.nudge("approve", run, "--as", "hr", rules=RULES, state=state)
        runs.append(run)
    live(state, "tick 2027-01-31T12:00:00Z")
    return state, runs


def live(state, *lines, way="smtp", rules=RULES):
    """What the postman carried: (row, kind, sequence, address, UID, receipt), and the bytes."""
    out = os.path.join(lib.scratch, f"out{next(serial)}")
    os.mkdir(out)
    result = subprocess.run([DRIVER, state, rules, way, out], timeout=60, input="\n".join(lines).encode() + b"\n", capture_output=True)
    if result.returncode != 0:
        sys.exit(f"{lines}: exit {result.returncode}\n{result.stderr.decode()[-3000:]}")
    rows = []
    for line in result.stdout.decode().splitlines():
        row, kind, *rest = line.split(" ")
        lib.check(kind != "dead", line)
        if kind == "dead":
            continue
        path, = glob.glob(f"{out}/d{int(row):08}.*")
        rows.append((int(row), kind, int(rest[0]), rest[1], rest[2], rest[3], open(path, "rb").read()))
    deep = lib.nudge("status", "--deep", rules=rules, state=state)
    lib.check(b"defect" not in deep.stderr, deep.stderr.decode()[-300:])
    return rows


def judged(raw, method):
    """The object in a mail, as icalendar and vobject read it, with what RFC 6047 asks of the mail around it."""
    lib.check(b"\n" not in raw.replace(b"\r\n", b""), "CRLF only")
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    parts = [p for p in mail.walk() if p.get_content_type() in ("text/calendar", "application/ics")]
    lib.check(not mail.defects and len(parts) == 2, f"{method}: the object twice, {mail.defects}")
    lib.check(parts[0].get_param("method") == method, f"{method} in the MIME parameter")
    ics = parts[0].get_payload(decode=True)
    lib.check(ics == parts[1].get_payload(decode=True), "the same object both times")
    calendar = icalendar.Calendar.from_ical(ics)
    event, = calendar.walk("VEVENT")
    other = vobject.readOne(ics.decode())
    lib.check(str(calendar["METHOD"]) == other.method.value == method, f"{method} in the object")
    lib.check(str(event["ORGANIZER"]) == "mailto:" + mail["From"].addresses[0].addr_spec, "ORGANIZER is From")
    lib.check(str(event["ATTENDEE"]) == "mailto:" + mail["To"].addresses[0].addr_spec, "one attendee: To")
    lib.check(str(event["STATUS"]) == ("CANCELLED" if method == "CANCEL" else "CONFIRMED"), f"{method}: STATUS")
    lib.check((int(other.vevent.sequence.value), other.vevent.uid.value) == (event["SEQUENCE"], str(event["UID"])),
              "vobject reads the same")
    lib.check(all(len(line) <= 75 for line in ics.split(b"\r\n")), "folded")
    return mail, event


def alarmless(event):
    return not event.walk("VALARM")


def only(rows, kind, *people):
    lib.check(sorted((r[1], r[3]) for r in rows) == sorted((kind, f"{p.lower()}.zwaluw@zorg.example") for p in people),
              f"{kind} for {people}: {[r[1:5] for r in rows]}")
    return {r[3][0].upper(): r for r in rows}


SENT = ("tick 2027-02-01T07:59:00Z", "tick 2027-02-01T10:00:00Z", "post delivered 2027-02-01T10:00:00Z")

# ---- a run is cancelled ----
state, (run, beside) = begin(campaigns=("walk", "rest"))
first = live(state, *SENT)
lib.check(len(first) == 6 and all(r[1:3] == ("message", 0) for r in first), f"six invitations: {[r[:5] for r in first]}")
asked = {r[4]: judged(r[6], "REQUEST") for r in first}
rows = live(state, f"cancel {run} 2027-02-02T08:00:00Z", "tick 2027-02-02T08:00:01Z", "post delivered 2027-02-02T08:00:05Z")
for who, row in only(rows, "withdrawal", "A", "B", "C").items():
    mail, event = judged(row[6], "CANCEL")
    before, request = asked[row[4]]
    lib.check(str(event["UID"]) == str(request["UID"]) == row[4] and event["SEQUENCE"] == 1, f"{who}: UID and SEQUENCE")
    lib.check(event["DTSTAMP"].dt > request["DTSTAMP"].dt, f"{who}: DTSTAMP of the withdrawal's own time")
    lib.check(event["DTSTAMP"].dt.isoformat() == "2027-02-02T08:00:00+00:00", f"{who}: {event['DTSTAMP'].dt}")
    lib.check(event["DTSTART"].dt == request["DTSTART"].dt and alarmless(event), f"{who}: the same time, no alarm")
    lib.check(mail["Message-ID"] != before["Message-ID"] and mail["In-Reply-To"] == before["Message-ID"], f"{who}: a reply to it")
    lib.check(mail["Subject"].startswith("Ingetrokken: ") and "gaat niet door" in mail.get_body(("plain",)).get_content(),
              f"{who}: says so in words: {mail['Subject']}")
lib.check(all("walk" in judged(r[6], "CANCEL")[0]["Subject"] for r in rows), "the run beside is not touched")
again = live(state, "tick 2027-02-02T12:00:00Z", "post delivered 2027-02-02T12:00:00Z")
lib.check(not again, f"exactly one follow-up: {[r[:5] for r in again]}")

# ---- what has not left is cancelled where it waits; what may have left is withdrawn; what is over is left alone ----
state, (run,) = begin()
rows = live(state, "tick 2027-02-01T07:59:00Z", "tick 2027-02-01T10:00:00Z", f"cancel {run} 2027-02-01T10:00:01Z", "post delivered 2027-02-01T10:01:00Z",
            "tick 2027-02-02T10:00:00Z", "post delivered 2027-02-02T10:01:00Z")
lib.check(not rows, f"nothing left, nothing to withdraw: {[r[:5] for r in rows]}")
state, (run,) = begin()
rows = live(state, "tick 2027-02-01T07:59:00Z", "tick 2027-02-01T10:00:00Z", "post uncertain 2027-02-01T10:00:01Z", f"cancel {run} 2027-02-01T10:01:00Z",
            "post delivered 2027-02-01T10:02:00Z")
only(rows[3:], "withdrawal", "A", "B", "C")
state, (run,) = begin()
rows = live(state, "tick 2027-02-01T07:59:00Z", "tick 2027-02-01T10:00:00Z", "post never 2027-02-01T10:00:01Z", f"cancel {run} 2027-02-01T10:01:00Z",
            "post delivered 2027-02-01T10:02:00Z")
lib.check(len(rows) == 3, "what never arrived is not withdrawn")
state, (run,) = begin()
live(state, *SENT)
rows = live(state, "tick 2027-02-03T11:29:00Z", f"cancel {run} 2027-02-03T11:30:00Z", "post delivered 2027-02-03T11:30:01Z")
lib.check(not rows, f"an event that begins is not withdrawn: {[r[:5] for r in rows]}")

# ---- in the postman's hand while the run is cancelled: decided when it is known what became of it ----
for fate, follows in (("delivered", 3), ("uncertain", 3), ("again", 0), ("never", 0)):
    state, (run,) = begin()
    rows = live(state, "tick 2027-02-01T07:59:00Z", "tick 2027-02-01T10:00:00Z", "take 2027-02-01T10:00:01Z", f"cancel {run} 2027-02-01T10:00:02Z",
                "tick 2027-02-01T10:00:30Z", f"settle {fate} 2027-02-01T10:00:40Z", "tick 2027-02-01T10:05:00Z",
                "post delivered 2027-02-01T10:05:01Z")
    lib.check([r[1] for r in rows] == ["message"] * 3 + ["withdrawal"] * follows, f"in hand, {fate}: {[r[1] for r in rows]}")

# ---- the withdrawal itself is in doubt: the same bytes once more, and not a third time ----
state, (run,) = begin()
live(state, *SENT)
rows = live(state, f"cancel {run} 2027-02-01T11:00:00Z", "post uncertain 2027-02-01T11:00:01Z",
            "post uncertain 2027-02-01T11:10:00Z", "post delivered 2027-02-01T11:20:00Z")
lib.check(len(rows) == 6 and {r[0] for r in rows[:3]} == {r[0] for r in rows[3:]}, "resent once, the same rows")
bodies = {}
for row in rows:
    bodies.setdefault(row[0], set()).add(row[6])
lib.check(len(bodies) == 3 and all(len(b) == 1 for b in bodies.values()), "three withdrawals, the same bytes each time")
same = live(state, "tick 2027-02-01T12:00:00Z")
lib.check(not same, "and no more")

# ---- a person stops: only theirs ----
state, (run,) = begin()
live(state, *SENT)
rows = live(state, f"answer B {run} stop 2027-02-01T12:00:00Z", "tick 2027-02-01T12:00:01Z", "post delivered 2027-02-01T12:01:00Z")
only(rows, "withdrawal", "B")
rows = live(state, "tick 2027-02-08T07:59:00Z", "tick 2027-02-08T12:00:00Z", "post delivered 2027-02-08T12:01:00Z")
only(rows, "message", "A", "C")

# ---- a person leaves, also while the run is paused ----
state, (run,) = begin()
live(state, *SENT)
lib.nudge("pause", run, rules=RULES, state=state)
rows = live(state, f"import {roster(C='gone')} 2027-02-01T12:00:00Z", "tick 2027-02-01T12:00:01Z", "post delivered 2027-02-01T12:01:00Z")
only(rows, "withdrawal", "C")

# ---- the event moves: the person's zone, the campaign's file, and then it is withdrawn ----
state, (run,) = begin()
first = {r[3][0].upper(): r for r in live(state, *SENT)}
rows = live(state, f"import {roster(A='America/New_York')} 2027-02-01T12:00:00Z", "tick 2027-02-01T12:00:01Z",
            "post delivered 2027-02-01T12:01:00Z")
row = only(rows, "update", "A")["A"]
mail, event = judged(row[6], "REQUEST")
_, request = judged(first["A"][6], "REQUEST")
lib.check(row[4] == first["A"][4] and event["SEQUENCE"] == 1, "the same UID, one SEQUENCE more")
lib.check(row[5] == f'"{first["A"][0]}"', f"the receipt of the first comes along: {row[5]}")
lib.check(event["DTSTART"].params["TZID"] == "America/New_York" and event["DTSTART"].dt.hour == 12, f"{event['DTSTART'].dt}")
lib.check(event["DTSTAMP"].dt > request["DTSTAMP"].dt and mail["Subject"].startswith("Gewijzigd: "), mail["Subject"])
moved = rule_base("moved", EVENT.replace("12:30", "16:00"))
rows = live(state, f"rules {moved} 2027-02-01T13:00:00Z", "tick 2027-02-01T13:00:01Z", "post delivered 2027-02-01T13:01:00Z")
found = only(rows, "update", "A", "B", "C")
lib.check([judged(found[p][6], "REQUEST")[1]["SEQUENCE"] for p in "ABC"] == [2, 1, 1], "each its own SEQUENCE")
lib.check(judged(found["B"][6], "REQUEST")[1]["DTSTART"].dt.hour == 16, "at the new time")
reworded = rule_base("reworded", EVENT.replace("12:30", "16:00"), text="Een ander woord.")
rows = live(state, f"restart {reworded} 2027-02-01T14:00:00Z", "tick 2027-02-01T14:00:01Z", "post delivered 2027-02-01T14:01:00Z",
            rules=moved)
lib.check(not rows, f"another word moves nothing: {[r[:5] for r in rows]}")
rows = live(state, "tick 2027-02-01T15:00:00Z", "post again 2027-02-01T15:00:30Z", f"cancel {run} 2027-02-01T15:01:00Z",
            "post delivered 2027-02-01T15:01:01Z")  # RULES again: an update waits, and is overtaken
lib.check([r[1] for r in rows] == ["update"] * 3 + ["withdrawal"] * 3, f"{[r[:3] for r in rows]}")
order = [judged(r[6], "CANCEL" if r[1] == "withdrawal" else "REQUEST")[1] for r in rows]
for uid in {str(e["UID"]) for e in order}:
    numbers = [int(e["SEQUENCE"]) for e in order if str(e["UID"]) == uid]
    lib.check(numbers == sorted(set(numbers)), f"{uid}: SEQUENCE only rises: {numbers}")

# changed while nothing ran: seen at the next start
state, (run,) = begin()
live(state, *SENT)
rows = live(state, "tick 2027-02-02T10:00:00Z", "post delivered 2027-02-02T10:00:01Z", rules=moved)
only(rows, "update", "A", "B", "C")

# ---- the campaign is gone from the rules, and then the run is cancelled ----
state, (run,) = begin()
live(state, *SENT)
without = rule_base("without", campaign=False)
rows = live(state, "tick 2027-02-02T10:00:00Z", f"cancel {run} 2027-02-02T10:01:00Z", "post delivered 2027-02-02T10:02:00Z",
            rules=without)
for row in only(rows, "withdrawal", "A", "B", "C").values():
    judged(row[6], "CANCEL")

# ---- a person is erased: the withdrawal goes out, then nothing of them is left ----
state, (run,) = begin()
live(state, *SENT)
rows = live(state, "forget B 2027-02-01T12:00:00Z", "post delivered 2027-02-01T12:00:01Z", "tick 2027-02-01T12:00:02Z")
row = only(rows, "withdrawal", "B")["B"]
mail, event = judged(row[6], "CANCEL")
lib.check(b"Naam" not in row[6] and event["SEQUENCE"] == 1, "without the name")


def nothing_left(what):
    leftovers = [path for path in glob.glob(f"{state}/**", recursive=True) if os.path.isfile(path)
                 and (b"b.zwaluw" in open(path, "rb").read().lower() or b"Naam B" in open(path, "rb").read())]
    lib.check(not leftovers, f"{what}: no trace of an erased person: {leftovers}")
    with sqlite3.connect(f"{state}/nudged.db") as db:
        for table in ("invitation", "delivery", "enrolment"):
            lib.check(db.execute(f"SELECT count(*) FROM {table} WHERE person < 0").fetchone() == (0,), f"{what}: nothing is left in {table}")


nothing_left("delivered")
state, (run,) = begin()
live(state, "tick 2027-02-01T07:59:00Z", "tick 2027-02-01T10:00:00Z", "forget B 2027-02-01T12:00:00Z")
db = sqlite3.connect(f"{state}/nudged.db")
lib.check(db.execute("SELECT count(*) FROM invitation").fetchone() == (2,), "what was never sent is erased at once")
db.close()

# in the postman's hand at that moment: the withdrawal follows as soon as it is known that it is needed
for way in ("smtp", "caldav"):
    for fate, follows in (("delivered", ["B"]), ("uncertain", ["B"]), ("again", []), ("never", [])):
        state, (run,) = begin()
        rows = live(state, "tick 2027-02-01T07:59:00Z", "tick 2027-02-01T10:00:00Z", "take 2027-02-01T10:00:01Z",
                    "forget B 2027-02-01T10:00:02Z", "tick 2027-02-01T10:00:30Z", f"settle {fate} 2027-02-01T10:00:40Z",
                    "tick 2027-02-01T10:05:00Z", "post delivered 2027-02-01T10:05:01Z", "tick 2027-02-01T10:06:00Z", way=way)
        withdrawn = [r for r in rows if r[1] == "withdrawal"]
        only(withdrawn, "withdrawal", *follows)
        lib.check(all(b"Naam" not in r[6] and r[4] in [m[4] for m in rows if m[1] == "message"] for r in withdrawn), f"{fate}: of it, without the name")
        lib.check(fate != "delivered" or all(r[5] != "-" for r in withdrawn), f"{fate}: with the receipt of what arrived")
        nothing_left(f"in hand, {way}, {fate}")
# an update in hand: what arrived before it is withdrawn whatever became of the update
for fate in ("delivered", "again", "never"):
    state, (run,) = begin()
    live(state, *SENT)
    rows = live(state, f"rules {moved} 2027-02-01T13:00:00Z", "tick 2027-02-01T13:00:01Z", "take 2027-02-01T13:00:02Z",
                "forget B 2027-02-01T13:00:03Z", f"settle {fate} 2027-02-01T13:00:04Z", "tick 2027-02-01T13:00:30Z",
                "post delivered 2027-02-01T13:05:00Z", "tick 2027-02-01T13:06:00Z")
    found = only([r for r in rows if r[1] == "withdrawal"], "withdrawal", "B")
    lib.check(judged(found["B"][6], "CANCEL")[1]["SEQUENCE"] == 2 if found else False, f"{fate}: above the update's number")
    nothing_left(f"an update in hand, {fate}")
# two invitations of one run: the end of one withdrawal takes nothing of the other along
far = rule_base("far", EVENT.replace("+2 days", "+9 days"))
state, (run,) = begin()
rows = live(state, *SENT, "tick 2027-02-08T07:59:00Z", "tick 2027-02-08T10:00:00Z", "post delivered 2027-02-08T10:00:01Z",
            "forget B 2027-02-08T12:00:00Z", "one delivered 2027-02-08T12:00:01Z", "tick 2027-02-08T12:00:02Z",
            "post delivered 2027-02-08T12:00:03Z", "tick 2027-02-08T12:00:04Z", rules=far)
only(rows[6:], "withdrawal", "B", "B")
nothing_left("two at once")

# ---- an event that lies further ahead than deliveries are kept ----
year = rule_base("year", EVENT.replace("+2 days", "+120 days"))
state, (run,) = begin()
live(state, *SENT, "tick 2027-02-08T07:59:00Z", "tick 2027-02-08T10:00:00Z", "post delivered 2027-02-08T10:00:01Z", rules=year)
rows = live(state, "tick 2027-05-20T10:00:00Z", f"cancel {run} 2027-05-20T10:01:00Z", "tick 2027-05-20T10:02:00Z", "post delivered 2027-05-20T10:03:00Z", rules=year)
only(rows, "withdrawal", *"AABBCC")
state, (run,) = begin()
live(state, *SENT, "tick 2027-02-08T07:59:00Z", "tick 2027-02-08T10:00:00Z", "post delivered 2027-02-08T10:00:01Z", "tick 2027-06-03T10:00:00Z", rules=year)
with sqlite3.connect(f"{state}/nudged.db") as db:
    lib.check(db.execute("SELECT count(*) FROM invitation").fetchone() == (3,), "those whose event is over are deleted, the others stay")
live(state, "tick 2027-06-11T10:00:00Z", rules=year)
with sqlite3.connect(f"{state}/nudged.db") as db:
    lib.check(db.execute("SELECT count(*) FROM invitation").fetchone() == (1,), "and then all but the newest row's")

# ---- a dead invitation is not sent by hand when its event has begun, and not after it ----
state, (run,) = begin()
live(state, "tick 2027-02-01T07:59:00Z", "tick 2027-02-01T10:00:00Z", "post never 2027-02-01T10:00:01Z")
with sqlite3.connect(f"{state}/nudged.db") as db:
    row, = db.execute("SELECT min(row) FROM delivery").fetchone()
    db.execute("UPDATE delivery SET state = 6 WHERE row = ?", (row,))
    db.execute("UPDATE invitation SET starts_at = 1000000")  # long ago by the real clock
got = lib.nudge("queue", "--requeue", f"d{row}", rules=RULES, state=state, ok=(0, 1))
lib.check(got.returncode == 1 and b"its event has begun" in got.stderr, f"{got.returncode} {got.stderr}")
with sqlite3.connect(f"{state}/nudged.db") as db:
    soon = int((time.time() + 3600) * 1e6)
    db.execute("UPDATE invitation SET starts_at = ?", (soon,))
lib.nudge("queue", "--requeue", f"d{row}", rules=RULES, state=state)
with sqlite3.connect(f"{state}/nudged.db") as db:
    lib.check(db.execute("SELECT expires_at FROM delivery WHERE row = ?", (row,)).fetchone() == (soon,), "until its event at most")

# ---- CalDAV gets the object at rest ----
state, (run,) = begin()
rows = live(state, *SENT, way="caldav")
for row in rows:
    calendar = icalendar.Calendar.from_ical(row[6])
    event, = calendar.walk("VEVENT")
    lib.check("METHOD" not in calendar and str(event["UID"]) == row[4], "no METHOD; the key is the UID")
    lib.check(event["ORGANIZER"].params["SCHEDULE-AGENT"] == event["ATTENDEE"].params["SCHEDULE-AGENT"] == "CLIENT",
              "the server writes no mails of its own")

# ---- the feed ----
state, (run,) = begin()
rows = live(state, *SENT)
feeds = sorted(glob.glob(f"{state}/feeds/*"))
lib.check(not feeds, "nothing before a tick")
live(state, "tick 2027-02-01T10:01:00Z")
feeds = sorted(glob.glob(f"{state}/feeds/*"))
lib.check(len(feeds) == 3 and all(re.fullmatch(r"[0-9a-f]{32}\.ics", os.path.basename(f)) for f in feeds), f"{feeds}")
lib.check(all(os.stat(f).st_mode & 0o777 == 0o600 for f in feeds), "0600")
lib.check(os.stat(os.path.dirname(feeds[0])).st_mode & 0o777 == 0o700, "0700")


def feed_of(uid):
    mine = [f for f in glob.glob(f"{state}/feeds/*") if uid in open(f).read().replace("\n ", "")]
    return mine[0] if len(mine) == 1 else None


by = {r[3][0].upper(): r for r in rows}
path = feed_of(by["A"][4])
calendar = icalendar.Calendar.from_ical(open(path, "rb").read())
event, = calendar.walk("VEVENT")
lib.check(str(calendar["METHOD"]) == "PUBLISH" and "ATTENDEE" not in event, "published, without attendees")
lib.check(event["DTSTART"].dt.isoformat() == "2027-02-03T11:30:00+00:00", f"in UTC: {event['DTSTART'].dt}")
vobject.readOne(open(path, newline="").read())
before, written = open(path, "rb").read(), os.stat(path).st_mtime_ns
live(state, "tick 2027-02-01T11:00:00Z")
lib.check(os.stat(path).st_mtime_ns == written, "written only when something changed")
os.unlink(path)
db = sqlite3.connect(f"{state}/nudged.db")
db.execute("UPDATE feed SET stale = 1")
db.commit()
db.close()
live(state, "tick 2027-02-01T11:30:00Z")
lib.check(open(path, "rb").read() == before, "the same invitations, the same bytes")
live(state, f"answer A {run} stop 2027-02-01T12:00:00Z", "post delivered 2027-02-01T12:00:01Z", "tick 2027-02-01T12:00:02Z")
lib.check(by["A"][4] not in open(path).read().replace("\n ", "") and "BEGIN:VCALENDAR" in open(path).read(),
          "what was withdrawn leaves the feed")
other = feed_of(by["B"][4])
live(state, "tick 2027-02-08T07:59:00Z", "tick 2027-02-08T10:00:00Z", "post delivered 2027-02-08T10:00:01Z", "tick 2027-02-08T10:01:00Z")
lib.check(len(icalendar.Calendar.from_ical(open(other, "rb").read()).walk("VEVENT")) == 2, "both invitations of B")
live(state, f"import {roster(B='gone')} 2027-02-08T12:00:00Z", "tick 2027-02-08T12:00:01Z",
     "post delivered 2027-02-08T12:00:02Z", "tick 2027-02-08T12:00:03Z")
lib.check(not os.path.exists(other), "who left has no feed")
third = feed_of(by["C"][4])
live(state, "forget C 2027-02-08T13:00:00Z", "tick 2027-02-08T13:00:01Z")
lib.check(third and not os.path.exists(third), "who is erased has no feed")

# ---- the preview is a request as ever ----
ics = lib.nudge("preview", "walk/all", "--as", "ics", rules=RULES).stdout
lib.check(str(icalendar.Calendar.from_ical(ics)["METHOD"]) == "REQUEST", "preview")
lib.finish("invitations")
