"""A simulated year of 1,000 people and six campaigns, judged from its JSON lines alone."""
import csv
import datetime
import glob
import json
import os
import re
from collections import Counter, defaultdict

from icalendar import Calendar

import lib
from lib import check

PEOPLE = 1000
state, roster = lib.organisation(PEOPLE, "2026-01-05")
answers = os.path.join(lib.SRC, "config/demo/answers.yaml")
arguments = ("simulate", "--from", "2026-01-05", "--to", "2026-12-31", "--seed", "7",
             "--answers", answers, "--format", "json")
first = lib.nudge(*arguments, state=state).stdout
check(first == lib.nudge(*arguments, state=state).stdout, "the same seed gives the same bytes")

people = {row["id"]: row for row in csv.DictReader(open(roster, encoding="utf-8"))}
holidays = {event.decoded("DTSTART")
            for event in Calendar.from_ical(open(f"{lib.RULES}/holidays-nl.ics", "rb").read()).walk("VEVENT")}
pool = {}
for folder in glob.glob(f"{lib.RULES}/campaigns/*"):
    text = open(f"{folder}/campaign.yaml", encoding="utf-8").read()
    follow = set(re.findall(r"thanks: ([\w-]+)", text)) | set(re.findall(r"then: (offer[\w-]+)", text))
    pool[os.path.basename(folder)] = {os.path.basename(p)[:-6] for p in glob.glob(f"{folder}/messages/*.nl.md")} - follow
angle = {}
for path in glob.glob(f"{lib.RULES}/campaigns/*/messages/*.nl.md"):
    text = open(path, encoding="utf-8").read()
    angle[path.split("/")[-3], os.path.basename(path)[:-6]] = re.search(r"angle: (\S+)", text)[1]

lines = [json.loads(line) for line in first.decode().splitlines()]
sends = [line for line in lines if line["verdict"] == "send"]
check(len(sends) > 5 * PEOPLE, f"a year brings thousands of messages, not {len(sends)}")
check({line["campaign"] for line in sends} >= set(pool) - {"quick-scan"}, "every timed campaign sends")

by_person = defaultdict(list)
for line in sends:
    by_person[line["person"]].append(line)
decided = Counter((line["person"], line["run"], line["occurrence"]) for line in lines if line["verdict"] != "wait")
check(max(decided.values()) == 1, "an occurrence is decided once")

seconds = lambda line: datetime.datetime.fromisoformat(line["time"]).timestamp()
repeats = relaxed = 0
for person, mine in by_person.items():
    row = people[person]
    mine.sort(key=seconds)
    regular = [line for line in mine if "thanks" not in line["reasons"]]
    for line in regular:
        t = datetime.datetime.fromisoformat(line["time"])
        check(8 <= t.hour < 18, f"{person} is left alone at {t}")
        check(t.weekday() < 5 or row["work_days"], f"{person}: {t} is a day off")
        check(t.date() not in holidays, f"{person}: {t} is a holiday")
        if row["work_days"]:
            check(t.weekday() in (0, 1, 3), f"{person} does not work on {t}")
        if row["absence_from"]:
            check(not row["absence_from"] <= str(t.date()) <= row["absence_until"], f"{person} is away on {t}")
    for i, line in enumerate(regular):
        now = seconds(line)
        past = [seconds(other) for other in mine if seconds(other) < now]
        check(sum(now - p < 7 * 86400 for p in past) < 2, f"{person}: more than 2 in a week at {line['time']}")
        check(sum(now - p < 30 * 86400 for p in past) < 6, f"{person}: more than 6 in a month")
        check(not past or now - max(past) >= 48 * 3600, f"{person}: less than 48 hours apart at {line['time']}")
    for before, after in zip(mine, mine[1:]):
        check(not (before.get("frame") == after.get("frame") == "loss"), f"{person}: two loss frames in a row")
    for run in {line["run"] for line in regular}:
        had, last = Counter(), None
        for line in [line for line in regular if line["run"] == run]:
            texts = pool[line["campaign"]]
            if line["message"] not in texts:
                last = line
                continue
            left = {m for m in texts if had[m] < had[line["message"]]}
            if left and "loss-frame-avoided" not in line["reasons"]:
                # a text may be out of this person's reach: then its channel or messenger is missing
                reach = {m for m in left if any(o["message"] == m for o in regular)}
                check(not reach, f"{person} got {line['message']} again while {reach} were left")
                repeats += 1
            if last is not None and last["angle"] == line["angle"]:
                check("relaxed-angle" in line["reasons"], "the same angle twice is told")
                level = had[line["message"]]
                other = {m for m in texts if had[m] == level and angle[line["campaign"], m] != line["angle"]}
                reach = {m for m in other if any(o["message"] == m for o in regular)}
                check(not reach or "loss-frame-avoided" in line["reasons"],
                      f"{person}: the angle stayed {line['angle']} although {reach} were left")
                relaxed += 1
            had[line["message"]] += 1
            last = line
print(len(sends), "sends,", repeats, "early repeats,", relaxed, "angles kept")
lib.finish("year")
