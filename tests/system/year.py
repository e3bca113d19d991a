"""A simulated year of 1,000 people and six campaigns, judged from its JSON lines alone.

What the judge knows besides the lines are the rule files, the roster and the calendar of holidays, which it reads with
other programs' parsers.  The year runs twice: with the shipped rule base, and with one whose campaigns have no window of
their own and a tighter budget, so that every rest rule and every limit bites.  tests/mutants.py shows that the judge
notices when the engine lacks one of its rules.
"""
import csv
import datetime
import glob
import json
import os
import re
import shutil
import sys
from collections import Counter, defaultdict
from zoneinfo import ZoneInfo

import yaml
from icalendar import Calendar

import lib
from lib import check

PEOPLE = int(os.environ.get("PEOPLE", "1000"))
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
state, roster = lib.organisation(PEOPLE, "2026-01-05")
answers = os.path.join(lib.SRC, "config/demo/answers.yaml")
people = {row["id"]: row for row in csv.DictReader(open(roster, encoding="utf-8"))}


def minutes(clock):
    return int(clock[:2]) * 60 + int(clock[3:5])


def inside(window, minute):
    start, end = (minutes(x) for x in window.split("-"))
    return start <= minute < end if start < end else minute >= start or minute < end


class Rules:
    def __init__(self, folder):
        self.house = yaml.safe_load(open(f"{folder}/house.yaml", encoding="utf-8"))
        self.holidays = {event.decoded("DTSTART") for name in self.house["rest"]["holidays"]
                         for event in Calendar.from_ical(open(f"{folder}/{name}", "rb").read()).walk("VEVENT")}
        self.campaigns = {}
        for path in glob.glob(f"{folder}/campaigns/*/campaign.yaml"):
            head = yaml.safe_load(open(path, encoding="utf-8"))
            follow = {answer.get("thanks") for answer in head["answers"].values()}
            follow.add(head.get("unanswered", {}).get("then"))
            texts = {}
            for text in glob.glob(f"{os.path.dirname(path)}/messages/*.nl.md"):
                tags = yaml.safe_load(open(text, encoding="utf-8").read().split("---\n")[1])
                assert "for" not in tags and set(tags.get("when", {})) <= {"repeat"}, f"{text}: the judge knows no such tag"
                texts[os.path.basename(text)[:-6]] = tags
            head["texts"] = texts
            head["pool"] = set(texts) - follow
            self.campaigns[os.path.basename(os.path.dirname(path))] = head

    def reaches(self, row, campaign, message):
        """The channels and messengers by which a person can get a message."""
        head, tags = self.campaigns[campaign], self.campaigns[campaign]["texts"][message]
        follow = message not in head["pool"]
        channels = {c for c in tags.get("channels", head["channels"]) if c in head["channels"] or follow}
        if not row["chat"]:
            channels.discard("chat")
        if "event" not in tags:
            channels.discard("calendar")
        messengers = set(tags.get("messengers", self.house["messengers"]))
        if not row["manager"]:
            messengers.discard("manager")
        return channels, messengers

    def eligible(self, row, campaign, message, number, after_loss):
        tags = self.campaigns[campaign]["texts"][message]
        repeat = tags.get("when", {}).get("repeat", {})
        channels, messengers = self.reaches(row, campaign, message)
        return (channels and messengers and repeat.get("min", 0) <= number <= repeat.get("max", 10 ** 9)
                and not (after_loss and tags["frame"] == "loss"))


def judge_moment(rules, row, line, t):
    """Quiet hours, days off, holidays, absence, own times, and the campaign's own window and audience."""
    who, minute = f"{line['person']} at {line['time']}", t.hour * 60 + t.minute
    zone = ZoneInfo(row["time_zone"] or rules.house["time_zone"])
    check(t.utcoffset() == t.astimezone(zone).utcoffset(), f"{who}: the clock of {zone}")
    check(not inside(rules.house["rest"]["quiet"], minute), f"{who}: quiet hours")
    if row["work_days"]:
        check(WEEKDAYS[t.weekday()] in row["work_days"].split(), f"{who}: no work day of theirs")
    else:
        check(WEEKDAYS[t.weekday()] not in rules.house["rest"]["days_off"], f"{who}: a day off")
    if row["work_hours"]:
        check(inside(row["work_hours"], minute), f"{who}: outside their own hours")
    check(t.date() not in rules.holidays, f"{who}: a holiday")
    if row["absence_from"]:
        check(not row["absence_from"] <= str(t.date()) <= row["absence_until"], f"{who}: they are away")
    head = rules.campaigns[line["campaign"]]
    if "at" in head["rhythm"]:
        check(inside(head["rhythm"]["at"], minute), f"{who}: outside the window {head['rhythm']['at']}")
    roles = head["audience"]["role"]
    check(row["role"] in ([roles] if isinstance(roles, str) else roles), f"{who}: not of the audience")
    for column in ("contract_hours", "leave_hours"):
        if column in head["audience"]:
            check(int(row[column]) >= head["audience"][column]["min"], f"{who}: not of the audience")


def judge_budget(rules, mine, line, t):
    budget, now = rules.house["budget"], t.timestamp()
    past = [other["at"] for other in mine if other["at"] < now]
    who = f"{line['person']} at {line['time']}"
    check(sum(now - p < 7 * 86400 for p in past) < budget["week"], f"{who}: over the budget of a week")
    check(sum(now - p < 30 * 86400 for p in past) < budget["month"], f"{who}: over the budget of a month")
    check(not past or now - max(past) >= int(budget["gap"].split()[0]) * 3600, f"{who}: within the gap")


def judge_text(rules, row, line, before, last, had, number):
    """The text is one of those used least, and of another angle than the last when there is one."""
    head, message = rules.campaigns[line["campaign"]], line["message"]
    who = f"{line['person']} at {line['time']} {line['campaign']}/{message}"
    channels, messengers = rules.reaches(row, line["campaign"], message)
    check(line["channel"] in channels and line["messenger"] in messengers, f"{who}: {line['channel']} by {line['messenger']}")
    after_loss = before is not None and before["frame"] == "loss"
    check(not (after_loss and line["frame"] == "loss"), f"{who}: two loss frames in a row")
    tags = head["texts"][message]
    check((line["angle"], line["frame"]) == (tags["angle"], tags["frame"]), f"{who}: the tags of the text")
    if message not in head["pool"]:
        return 0
    possible = {m for m in head["pool"] if rules.eligible(row, line["campaign"], m, number, after_loss)}
    check(message in possible, f"{who}: not possible as number {number}")
    fewest = min(had[m] for m in possible | {message})
    check(had[message] == fewest, f"{who}: again, while {[m for m in possible if had[m] == fewest]} were left")
    if last is None or last["angle"] != line["angle"]:
        return 0
    other = {m for m in possible if had[m] == fewest and head["texts"][m]["angle"] != line["angle"]}
    check(not other, f"{who}: the angle stayed {line['angle']} although {other} were possible")
    check("relaxed-angle" in line["reasons"], f"{who}: that the angle stayed is told")
    return 1


def judge(name, rules, lines):
    sends = [line for line in lines if line["verdict"] == "send"]
    decided = Counter((line["person"], line["run"], line["occurrence"]) for line in lines if line["verdict"] != "wait")
    check(max(decided.values()) == 1, "an occurrence is decided once")
    by_person = defaultdict(list)
    for line in sends:
        line["at"] = datetime.datetime.fromisoformat(line["time"]).timestamp()
        by_person[line["person"]].append(line)
    kept = again = 0
    for person, mine in by_person.items():
        mine.sort(key=lambda line: line["at"])
        last, had, number, before = {}, defaultdict(Counter), Counter(), None
        for line in mine:
            run, t = line["run"], datetime.datetime.fromisoformat(line["time"])
            check(line["language"] == people[person]["language"], f"{person}: in {line['language']}")
            if "thanks" not in line["reasons"]:
                judge_moment(rules, people[person], line, t)
                judge_budget(rules, mine, line, t)
                kept += judge_text(rules, people[person], line, before, last.get(run), had[run], number[run] + 1)
            again += had[run][line["message"]] > 0
            had[run][line["message"]] += 1
            number[run] += 1
            last[run] = before = line
        for run, line in last.items():
            head = rules.campaigns[line["campaign"]]
            check(sum(had[run][m] for m in head["pool"]) <= head["rhythm"].get("times", 10 ** 9), f"{person}: more of {run} than its times")
    print(f"{name}: {len(sends)} sends, {kept} angles kept, {again} texts a second time")
    return sends


def year(folder):
    arguments = ("simulate", "--from", "2026-01-05", "--to", "2026-12-31", "--seed", "7", "--answers", answers, "--format", "json")
    return lib.nudge(*arguments, rules=folder, state=state).stdout


def seen(lines, name, wanted):
    """No check is empty: the year holds cases of each kind."""
    reasons = {r for line in lines for r in line["reasons"]}
    check(wanted <= reasons, f"{name}: the year holds no case of {sorted(wanted - reasons)}")


first = year(lib.RULES)
if "--once" not in sys.argv:
    check(first == year(lib.RULES), "the same seed gives the same bytes")
shipped = Rules(lib.RULES)
lines = [json.loads(line) for line in first.decode().splitlines()]
sends = judge("shipped", shipped, lines)
check(len(sends) > 5 * PEOPLE, f"a year brings thousands of messages, not {len(sends)}")
check({line["campaign"] for line in sends} >= set(shipped.campaigns) - {"quick-scan"}, "every timed campaign sends")
check({line["frame"] for line in sends} == {"gain", "loss"}, "both frames are used")
check({line["channel"] for line in sends} == {"email", "chat", "calendar"}, "all channels are used")

bare = os.path.join(lib.scratch, "bare")
shutil.copytree(lib.RULES, bare)
for path in glob.glob(f"{bare}/campaigns/*/campaign.yaml"):
    text = open(path, encoding="utf-8").read()
    text = re.sub(r"\n  at: .*", "", re.sub(r", at: [\d:-]+", "", text))
    # more moments than texts, so that texts and angles come back
    text = text.replace("times: 6", "times: 24").replace("every: 2 weeks", "every: 1 week")
    text = text.replace("FREQ=MONTHLY;BYDAY=2TU", "FREQ=WEEKLY;BYDAY=TU,SU").replace("then: every month", "then: every week")
    text = text.replace("days: [3, 7, 14, 28]", "days: [3, 5, 7, 8, 9, 12, 14, 28]").replace("late: 1 day", "late: 3 days")
    text = re.sub(r"unanswered: .*", "unanswered: { after: 6, then: change }", text)
    open(path, "w", encoding="utf-8").write(text)
house = open(f"{bare}/house.yaml", encoding="utf-8").read()
open(f"{bare}/house.yaml", "w", encoding="utf-8").write(house.replace("week: 2, month: 6, gap: 48 hours", "week: 3, month: 7, gap: 30 hours"))
lines = [json.loads(line) for line in year(bare).decode().splitlines()]
judge("bare", Rules(bare), lines)
seen(lines, "bare", {"quiet-hours", "day-off", "holiday", "absence", "own-times", "budget-week", "budget-month", "budget-gap",
                     "loss-frame-avoided", "relaxed-angle", "relaxed-message", "thanks", "holdout"})
lib.finish("year")
