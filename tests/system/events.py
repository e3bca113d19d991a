"""A year of invitations: no event on a day that is free for its reader, and the move is told."""
import csv
import datetime
import glob
import json
import os
import re
import shutil

from icalendar import Calendar

import lib
from lib import check

DAYS = 4  # after Tuesday and Thursday: Saturday and Monday
rules = os.path.join(lib.scratch, "rules")
shutil.copytree(lib.RULES, rules)
folder = f"{rules}/campaigns/bravo-week"
text = open(f"{folder}/campaign.yaml").read()
text = re.sub(r"\nchannels: .*", "\nchannels: { calendar: 1 }", text)
text = re.sub(r"\n  every: .*", "\n  every: 1 week", text)
text = re.sub(r"\n  times: .*", "\n  times: 100", text)
open(f"{folder}/campaign.yaml", "w").write(text)
for path in glob.glob(f"{folder}/messages/*.nl.md"):
    head, body = open(path).read().split("\n---", 1)
    head = re.sub(r"\n(channels|event|when): .*", "", head)
    open(path, "w").write(f"{head}\nchannels: [calendar]\nevent: {{ start: +{DAYS} days 12:30, length: 30 minutes, place: Hoofdingang }}\n---{body}")
state, roster = lib.organisation(100, "2026-01-05", ["bravo-week"])
people = {row["id"]: row for row in csv.DictReader(open(roster, encoding="utf-8"))}
for row in people.values():  # somebody away from the third day on, for longer than two weeks
    if row["id"] == "P50":
        row["absence_from"], row["absence_until"] = "2026-01-10", "2026-01-31"
        row["work_days"] = ""
        row["contract_hours"] = "24"
        row["time_zone"] = ""
with open(roster, "w", encoding="utf-8") as out:
    writer = csv.DictWriter(out, next(iter(people.values())).keys())
    writer.writeheader()
    writer.writerows(people.values())
lib.nudge("people", "import", roster, state=state)
holidays = {event.decoded("DTSTART")
            for event in Calendar.from_ical(open(f"{lib.RULES}/holidays-nl.ics", "rb").read()).walk("VEVENT")}


def free(row, day):
    if row["absence_from"] and row["absence_from"] <= str(day) <= row["absence_until"]:
        return False
    if day in holidays:
        return False
    return day.weekday() in (0, 1, 3) if row["work_days"] else day.weekday() < 5


out = os.path.join(lib.scratch, "out")
lines = [json.loads(line) for line in lib.nudge(
    "simulate", "--from", "2026-01-05", "--to", "2026-12-31", "--format", "json", "--out", out, state=state, rules=rules).stdout.splitlines()]
sends = {(line["person"], int(datetime.datetime.fromisoformat(line["time"]).timestamp())): line for line in lines if line["verdict"] == "send"}
moved = stayed = 0
for path in glob.glob(f"{out}/spool/*/*.ics"):
    event = Calendar.from_ical(open(path, "rb").read()).walk("VEVENT")[0]
    start = event.decoded("DTSTART")
    person = "P" + re.search(r"p(\d+)@", str(event["ATTENDEE"]))[1]
    line = sends.pop((person, int(event.decoded("DTSTAMP").timestamp())))
    told = datetime.datetime.fromisoformat(line["time"]).date()
    row = people[person]
    want = next(told + datetime.timedelta(DAYS + i) for i in range(15) if free(row, told + datetime.timedelta(DAYS + i)))
    check(start.date() == want, f"{person}, told on {told}: {start.date()} and not {want}")
    check((start.hour, start.minute) == (12, 30), f"the hour stays: {start}")
    check(("event-moved" in line["reasons"]) == (want != told + datetime.timedelta(DAYS)), f"the move is told: {line}")
    moved += "event-moved" in line["reasons"]
    stayed += "event-moved" not in line["reasons"]
check(not sends, f"every message is an invitation: {len(sends)} are not")
check(moved > 500 and stayed > 100, f"{moved} moved, {stayed} as written")
none = [line for line in lines if "event-no-day" in line["reasons"]]
check({line["person"] for line in none} >= {"P50"} and all(line["verdict"] == "skip" for line in none),
      f"without a free day within 14 there is no invitation: {none[:2]}")
print(f"{moved} moved, {stayed} as written, {len(none)} without a day")
lib.finish("events")
