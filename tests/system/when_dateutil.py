"""Rules of day or coarser frequency against python3-dateutil, libical's vectors and libical itself.

Ours follows RFC 5545 3.3.10.  Where dateutil 2.8.2 reads it in another way, as_dateutil() says the same
rule in words that dateutil takes for it, and names the difference.  libical's own differences are in
LIBICAL_DIFFERS; of its iterator (3.0.16) libical_knows() says which rules it gets right.
"""
import collections
import datetime as datetime_module
import os
import random
import shutil
import subprocess
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

import lib

DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
LAST_YEAR = 2050  # dateutil searches up to MAXYEAR for a day that may never come: a second, each time
datetime_module.MAXYEAR = LAST_YEAR
PRINT = os.path.join(os.environ["BUILD"], "rrule_print")
ISO = "%Y-%m-%dT%H:%M:%S"


def occurrences(orders, oracle=()):
    """The lines of rrule_print for (rule, start as text, limit)."""
    text = "".join(f"{rule} {start} {limit}\n" for rule, start, limit in orders)
    out = subprocess.run([PRINT, *oracle], input=text, capture_output=True, text=True, check=True).stdout
    lines = out.split("\n")[:-1]
    lib.check(len(lines) == len(orders), "an answer for every rule")
    return [line if line.startswith("refused") else
            [datetime.fromisoformat(one) for one in line.split()] for line in lines]


def parts_of(rule):
    return dict(part.split("=") for part in rule.strip(";").split(";"))


def as_dateutil(rule, start, is_date):
    """The rule and start that mean to dateutil what the RFC means by ours; COUNT aside."""
    parts = parts_of(rule)
    parts.pop("COUNT", None)
    if is_date:  # 3.3.10: ignored when DTSTART is a DATE; dateutil knows no such start
        for name in ("BYHOUR", "BYMINUTE", "BYSECOND"):
            parts.pop(name, None)
    until = parts.get("UNTIL", "").rstrip("Z")  # floating
    if until:  # a DATE is that day; dateutil takes its midnight
        parts["UNTIL"] = until if "T" in until else until + "T235959"
    weekday = DAYS[start.weekday()]
    # "Information, not contained in the rule, ... derived from the Start Time": the weekday too.
    # dateutil takes all seven days of the week.
    if "BYWEEKNO" in parts and not parts.keys() & {"BYDAY", "BYMONTHDAY", "BYYEARDAY"}:
        parts["BYDAY"] = weekday
    # BYDAY=MO,2TU is Mondays and second Tuesdays; dateutil wants a day to be both, and finds none.
    days = parts.get("BYDAY", "").split(",")
    if any(len(day) > 2 for day in days) and any(len(day) == 2 for day in days):
        most = 5 if parts["FREQ"] == "MONTHLY" or "BYMONTH" in parts else 53
        parts["BYDAY"] = ",".join(
            day if len(day) > 2 else ",".join(f"{n}{day}" for n in range(1, most + 1)) for day in days)
    # BYSETPOS chooses "within one interval of the recurrence rule": the whole week; dateutil's first
    # week begins with the start.
    if parts["FREQ"] == "WEEKLY" and "BYSETPOS" in parts:
        parts.setdefault("BYDAY", weekday)
        start -= timedelta(days=(start.weekday() - DAYS.index(parts.get("WKST", "MO"))) % 7)
    return ";".join(f"{name}={value}" for name, value in parts.items()), start


def want_of(rule, start_text, limit):
    is_date = "T" not in start_text
    start = datetime.fromisoformat(start_text)
    text, first = as_dateutil(rule, start, is_date)
    limit = min(limit, int(parts_of(rule).get("COUNT", limit)))
    want = []
    for moment in rrulestr(text, dtstart=first):
        if len(want) == limit or moment.year > LAST_YEAR:
            break
        if moment >= start:
            want.append(moment)
    return want


def agree(orders, what):
    differ = 0
    for (rule, start, limit), got in zip(orders, occurrences(orders)):
        want = want_of(rule, start, limit)
        got = got if isinstance(got, str) else [moment for moment in got if moment.year <= LAST_YEAR]
        if got != want:
            differ += 1
            lib.check(False, f"{what}: {rule} from {start}: {str(got)[:300]} but dateutil {str(want)[:300]}")
    return differ


# ---- libical's vectors ----

# A YEARLY rule with BYMONTHDAY and without BYMONTH: libical takes the month of the start, but
# BYMONTHDAY expands a year ("list of days of the month", the table of 3.3.10): all twelve months, as in
# dateutil.
LIBICAL_DIFFERS = {"FREQ=YEARLY;BYMONTHDAY=29;COUNT=3": "20240229,20240329,20240429",
                   "FREQ=YEARLY;BYMONTHDAY=-29,-1;COUNT=4": "20240201,20240229,20240303,20240331",
                   # libical answers UNIMPLEMENTED: 30 December in week 1
                   "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=30;BYWEEKNO=1;UNTIL=20320101": "20241230,20251230,20301230,20311230"}


def iso(compact):
    day = f"{compact[:4]}-{compact[4:6]}-{compact[6:8]}"
    return day + (f"T{compact[9:11]}:{compact[11:13]}:{compact[13:15]}" if "T" in compact else "")


def vector_moments(text, start):
    for one in text.split(","):
        ends, _, step = one.partition("/")
        first, _, last = ends.partition("..")
        at = datetime.fromisoformat(iso(first))
        end = datetime.fromisoformat(iso(last or first))
        while at <= end:
            yield at if "T" in first else datetime.combine(at.date(), start.time())
            at += timedelta(days=int(step or 1))


vectors = []
for line in open(os.path.join(lib.SRC, "tests/system/libical_vectors.txt"), encoding="ascii"):
    if line.strip() and not line.startswith("#"):
        rule, start, text = line.split()
        vectors.append((rule, iso(start), text))
lib.check(len(vectors) == 127, "libical's vectors are all there")
for (rule, start, text), got in zip(vectors, occurrences([(r, s, 500) for r, s, _ in vectors])):
    if text == "refused":
        lib.check(isinstance(got, str) and len(got) > 30, f"{rule} is refused with a reason: {got}")
        continue
    want = list(vector_moments(LIBICAL_DIFFERS.get(rule, text), datetime.fromisoformat(start)))
    lib.check(got == want, f"libical's {rule} from {start}: {got}, not {want}")
agree([(r, s, 500) for r, s, text in vectors if text != "refused"], "libical's vector")

# ---- the RFC's own examples, and what the comparison below has to leave out ----

RFC = """FREQ=DAILY;UNTIL=19971224 FREQ=DAILY;INTERVAL=2 FREQ=YEARLY;UNTIL=20000131;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA
FREQ=WEEKLY;INTERVAL=2;WKST=SU FREQ=YEARLY;BYDAY=20MO FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13
FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2 FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40
FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8 FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5"""
agree([(rule, "1997-09-02T09:00:00", 60) for rule in RFC.split()], "RFC 5545")

MORE = [("FREQ=YEARLY;BYWEEKNO=-52;BYDAY=TU", "2013-01-01T09:00:00", "20130101,20131231,20150106,20160105"),
        ("FREQ=YEARLY;BYWEEKNO=-53;BYDAY=MO", "2013-01-01T09:00:00", "20141229,20191230,20251229"),
        ("FREQ=MONTHLY;BYDAY=MO,2TU", "2026-01-01T09:00:00", "20260105,20260112,20260113,20260119,20260126,20260202"),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1", "2026-01-01", "20260102,20260109,20260116"),
        ("FREQ=DAILY;BYHOUR=9,17;BYSETPOS=-1", "2026-01-01T10:00", "20260101T170000,20260102T170000"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;UNTIL=99991231", "2196-03-01T09:00", "22040229,22080229"),
        ("FREQ=DAILY;INTERVAL=7;BYMONTH=2;BYMONTHDAY=29", "2026-01-01", "20520229,20800229,21200229")]
for (rule, start, text), got in zip(MORE, occurrences([(r, s, t.count(",") + 1) for r, s, t in MORE])):
    want = list(vector_moments(text, datetime.fromisoformat(start)))
    lib.check(got == want, f"{rule} from {start}: {got}, not {want}")

# ---- every week of the year, with every first day of the week, against the definition ----

# Not dateutil: it takes the days of January that belong to the last year's week for week 52 or 53 by the
# length of the wrong year (rrule.py, lnumweeks), and leaves out the days of December that are week -52
# or -53 of the next year ("TODO: Check -numweeks for next year").
FROM, TO = date(2000, 1, 1), date(2040, 1, 1)


def weeks_of(wkst):
    """For each day the number of its week, from the begin and from the end of that week's year."""
    for n in range((TO - FROM).days):
        day = FROM + timedelta(days=n)
        fourth = day + timedelta(days=3 - (day.weekday() - wkst) % 7)
        number = (fourth.timetuple().tm_yday + 6) // 7
        left = (date(fourth.year, 12, 31) - fourth).days // 7
        lib.check(wkst != 0 or number == day.isocalendar()[1], "ISO 8601 agrees")
        yield day, number, -1 - left


by_week = collections.defaultdict(list)
for wkst in range(7):
    for day, number, back in weeks_of(wkst):
        by_week[wkst, number].append(day)
        by_week[wkst, back].append(day)
keys = [(wkst, n) for wkst in range(7) for n in (*range(1, 54), *range(-53, 0))]
for key, got in zip(keys, occurrences([(
        f"FREQ=YEARLY;WKST={DAYS[wkst]};BYWEEKNO={n};BYDAY={','.join(DAYS)};UNTIL=20391231", "2000-01-01", 999)
        for wkst, n in keys])):
    lib.check([moment.date() for moment in got] == by_week[key], f"week {key[1]} from {DAYS[key[0]]}: {got[:9]}")

# ---- many rules, drawn ----

draw = random.Random(5545)


def numbers(most, least=1, negative=True, count=4):
    chosen = {draw.randint(least, most) * (draw.choice([1, 1, -1]) if negative else 1)
              for _ in range(draw.randint(1, count))}
    chosen = sorted(chosen)
    draw.shuffle(chosen)
    return ",".join(map(str, chosen))


def weekdays(frequency, with_month, numbered):
    days = draw.sample(DAYS, draw.choice([1, 1, 2, 3, 5]))
    if not numbered:
        return ",".join(days)
    # over 53 weeks dateutil runs out of its table for a month (IndexError)
    most = 6 if frequency == "MONTHLY" or with_month else 53
    return ",".join(day if draw.random() < 0.2 else f"{draw.choice([1, 1, -1]) * draw.randint(1, most)}{day}"
                    for day in days)


def drawn_rule():
    frequency = draw.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    parts = [f"FREQ={frequency}"]
    if draw.random() < 0.5:
        parts.append(f"INTERVAL={draw.choice([1, 2, 3, 4, 5, 6, 7, 13, 18])}")
    with_month = draw.random() < 0.3
    if with_month:
        parts.append("BYMONTH=" + numbers(12, negative=False))
    with_week = frequency == "YEARLY" and draw.random() < 0.3
    if with_week:  # 52 and 53, -52 and -53: see below
        parts.append("BYWEEKNO=" + ",".join(draw.sample(
            [str(n) for n in (1, 2, 9, 20, 26, 50, 51, -1, -2, -30, -51)], draw.randint(1, 4))))
    if frequency != "WEEKLY" and draw.random() < 0.35:
        parts.append("BYMONTHDAY=" + numbers(31, count=draw.choice([1, 3, 12])))
    if frequency == "YEARLY" and draw.random() < 0.25:
        parts.append("BYYEARDAY=" + numbers(366, count=draw.choice([1, 4, 40])))
    if draw.random() < 0.5:
        numbered = frequency in ("MONTHLY", "YEARLY") and not with_week and draw.random() < 0.6
        parts.append("BYDAY=" + weekdays(frequency, with_month, numbered))
    if draw.random() < 0.12:
        parts.append("BYHOUR=" + numbers(23, 0, False))
    if draw.random() < 0.08:
        parts.append("BYMINUTE=" + numbers(59, 0, False))
    if draw.random() < 0.05:
        parts.append("BYSECOND=" + numbers(59, 0, False))
    if len(parts) > 2 and any(part.startswith("BY") for part in parts) and draw.random() < 0.35:
        parts.append("BYSETPOS=" + numbers(draw.choice([2, 5, 40, 366])))
    if draw.random() < 0.3:
        parts.append("WKST=" + draw.choice(DAYS))
    if draw.random() < 0.15:
        parts.append(f"COUNT={draw.randint(1, 30)}")
    elif draw.random() < 0.1:
        until = datetime(2026, 1, 1) + timedelta(days=draw.randint(0, 5000), seconds=draw.randint(0, 86399))
        parts.append("UNTIL=" + until.strftime(draw.choice(["%Y%m%d", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%SZ"])))
    tail = parts[1:]
    draw.shuffle(tail)
    return ";".join(parts[:1] + tail)


def drawn_start():
    if draw.random() < 0.3:  # the edges of months and years
        day = datetime(draw.choice([1999, 2000, 2003, 2004, 2026, 2027, 2028]), *draw.choice(
            [(1, 1), (1, 31), (2, 28), (3, 1), (12, 28), (12, 31), (1, 3), (10, 31)]))
    else:
        day = datetime(1997, 1, 1) + timedelta(days=draw.randint(0, 13000))
    if draw.random() < 0.05:
        day = datetime(2024, 2, 29)
    if draw.random() < 0.2:
        return day.strftime("%Y-%m-%d")
    return (day + timedelta(seconds=draw.choice([0, 34200, 86399, draw.randint(0, 86399)]))).strftime(ISO)


orders = [(drawn_rule(), drawn_start(), 25) for _ in range(int(os.environ.get("RULES", "2500")))]
differ = agree(orders, "drawn")
never = sum(got == [] for got in occurrences(orders))
kinds = collections.Counter(name for rule, _, _ in orders for name in parts_of(rule))
print(f"{len(orders)} drawn rules, {differ} differ, {never} never fire; parts: {dict(kinds)}")
lib.check(never < len(orders) / 3, "most of what is drawn fires")

# ---- libical's iterator, the oracle, on the rules that it gets right ----


def libical_knows(rule, start):
    """3.0.16 ignores BYSETPOS or the first week, reads BYMONTHDAY in a DAILY rule and negative numbers
    in part, refuses some combinations, fires one on week numbers (and crashes on BYWEEKNO=9,-30), and
    expects the times of day sorted."""
    parts = parts_of(rule)
    names = set(parts)
    plain = not names & {"BYSETPOS", "BYWEEKNO", "BYYEARDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "UNTIL"}
    monthdays = "BYMONTHDAY" not in names or parts["FREQ"] == "MONTHLY" and "BYDAY" not in names
    first_week = parts["FREQ"] != "WEEKLY" or "BYDAY" not in names or parts.get("INTERVAL", "1") == "1"
    return plain and monthdays and first_week and "T" in start


known = [order for order in orders if libical_knows(*order[:2])]
for (rule, start, _), got, want in zip(known, occurrences(known), occurrences(known, ["libical"])):
    cut = [moment for moment in want if not isinstance(want, str) and moment.year <= LAST_YEAR]
    lib.check(cut == [moment for moment in got if moment.year <= LAST_YEAR], f"libical: {rule} from {start}: {str(got)[:300]} but {str(want)[:300]}")
print(f"{len(known)} of them against libical's iterator")
lib.check(len(known) > 500, "libical is asked often")

# ---- through the command: zones, UNTIL in UTC, refusals ----


def when(rule, start, *more, ok=(0,)):
    return lib.nudge("when", "--rrule", rule, "--start", start, *more, ok=ok)


for rule, start, text in vectors[::5]:
    got = when(rule, start, "--tz", "UTC", "--count", "500", ok=(0, 1))
    if text == "refused":
        lib.check(got.returncode == 1 and b"refused" in got.stderr, f"{rule} is refused by the command")
        continue
    want = [moment.isoformat() + "Z" for moment in
            vector_moments(LIBICAL_DIFFERS.get(rule, text), datetime.fromisoformat(start))]
    lib.check(got.stdout.decode().split() == want, f"nudge when: {rule}")

# An UNTIL in UTC is an instant: in New York the evening before, in a doubled hour one of the two.
for zone, rule, start in [
        ("America/New_York", "FREQ=DAILY;UNTIL=20260305T020000Z", "2026-03-01T21:00:00"),
        ("America/New_York", "FREQ=DAILY;UNTIL=20260305T015959Z", "2026-03-01T21:00:00"),
        ("Asia/Tokyo", "FREQ=WEEKLY;BYDAY=MO,TH;UNTIL=20260401T235959Z", "2026-03-01T08:30:00"),
        ("Europe/Amsterdam", "FREQ=DAILY;UNTIL=20261025T003000Z", "2026-10-22T02:30:00"),
        ("Europe/Amsterdam", "FREQ=DAILY;UNTIL=20261025T002959Z", "2026-10-22T02:30:00"),
        ("Europe/Amsterdam", "FREQ=DAILY;BYHOUR=1,2,3;UNTIL=20261026T000000Z", "2026-10-24T02:30:00"),
        ("Europe/Amsterdam", "FREQ=DAILY;BYHOUR=1,3;COUNT=9", "2026-03-28T02:30:00"),
        ("Australia/Lord_Howe", "FREQ=MONTHLY;BYDAY=1SU;BYHOUR=1,2;BYMINUTE=45;COUNT=30", "2026-01-01T02:15:00"),
        ("Pacific/Apia", "FREQ=DAILY;UNTIL=20120102T000000Z", "2011-12-27T12:00:00")]:
    got = when(rule, start, "--tz", zone, "--count", "60").stdout.decode().split()
    want = [moment.astimezone(timezone.utc) for moment in
            rrulestr(rule, dtstart=datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)))]
    lib.check([datetime.fromisoformat(line) for line in got] == want, f"{zone} {rule}: {got}")

got = when("FREQ=DAILY;BYHOUR=9;COUNT=1", "2026-01-05", "--tz", "UTC")
lib.check(got.stdout == b"2026-01-05T00:00:00Z\n" and b"BYHOUR" in got.stderr, "a date has no BYHOUR, and that is said")
lib.check(when("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "2026-01-01").stdout == b"", "30 February never comes")

REFUSED = [  # rule, a word of the reason
    ("FREQ=HOURLY", "finer than daily"), ("FREQ=MINUTELY;INTERVAL=30", "finer than daily"),
    ("FREQ=SECONDLY", "finer than daily"), ("FREQ=FORTNIGHTLY", "FREQ wants"), ("INTERVAL=2", "FREQ is missing"),
    ("FREQ=WEEKLY;BYDAY=2MO", "MONTHLY or YEARLY"), ("FREQ=DAILY;BYDAY=-1FR", "MONTHLY or YEARLY"),
    ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", "BYWEEKNO"), ("FREQ=MONTHLY;BYWEEKNO=20", "YEARLY only"),
    ("FREQ=WEEKLY;BYYEARDAY=20", "YEARLY only"), ("FREQ=WEEKLY;BYMONTHDAY=20", "WEEKLY"),
    ("FREQ=DAILY;BYSETPOS=1", "another BY part"), ("FREQ=DAILY;COUNT=2;UNTIL=20300101", "exclude"),
    ("FREQ=DAILY;INTERVAL=0", "INTERVAL"), ("FREQ=DAILY;COUNT=0", "COUNT"), ("FREQ=DAILY;COUNT=-1", "COUNT"),
    ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY"), ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY"),
    ("FREQ=YEARLY;BYMONTH=-1", "BYMONTH"), ("FREQ=YEARLY;BYMONTH=13", "BYMONTH"), ("FREQ=YEARLY;BYWEEKNO=54", "BYWEEKNO"),
    ("FREQ=YEARLY;BYYEARDAY=367", "BYYEARDAY"), ("FREQ=DAILY;BYHOUR=24", "BYHOUR"), ("FREQ=DAILY;BYHOUR=9,", "BYHOUR"),
    ("FREQ=DAILY;BYMINUTE=60", "BYMINUTE"), ("FREQ=DAILY;BYSECOND=60", "BYSECOND"), ("FREQ=DAILY;BYHOUR=9,,9", "BYHOUR"),
    ("FREQ=MONTHLY;BYDAY=1MO;BYSETPOS=367", "BYSETPOS"), ("FREQ=MONTHLY;BYDAY=54MO", "BYDAY"),
    ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY"), ("FREQ=MONTHLY;BYDAY=XX", "BYDAY"), ("FREQ=MONTHLY;BYDAY=1", "BYDAY"),
    ("FREQ=WEEKLY;WKST=XX", "WKST"), ("FREQ=DAILY;UNTIL=20260230", "UNTIL"), ("FREQ=DAILY;UNTIL=20260101T25", "UNTIL"),
    ("FREQ=DAILY;UNTIL=20260101T250000", "UNTIL"), ("FREQ=DAILY;UNTIL=2026-1-1", "UNTIL"),
    ("FREQ=DAILY;FREQ=DAILY", "twice"), ("FREQ=DAILY;BYEASTER=1", "BYEASTER is not a part"), ("nonsense", "NAME=VALUE"),
    ("RSCALE=GREGORIAN;FREQ=YEARLY;SKIP=BACKWARD", "RFC 7529"), ("FREQ=DAILY;INTERVAL=", "NAME=VALUE"),
    ("FREQ=YEARLY;BYMONTHDAY=" + ",".join(["1"] * 2000), "longer than")]
for (rule, word), got in zip(REFUSED, occurrences([(rule, "2026-01-01", 3) for rule, _ in REFUSED])):
    lib.check(isinstance(got, str) and word in got, f"{rule[:60]} is refused for {word}: {got}")
got = when("FREQ=HOURLY", "2026-01-01", ok=(1,))
lib.check(b"refused" in got.stderr and got.stdout == b"", "the command says so too")

# ---- in a campaign (E012) ----

for rule, word in [("FREQ=HOURLY;INTERVAL=2", "finer than daily"), ("FREQ=DAILY;BYHOUR=9,17", "at:"),
                   ("FREQ=DAILY;BYMINUTE=0,5,10", "at:"), ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "never fires"),
                   ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31", "never fires"), ("FREQ=WEEKLY;BYDAY=2MO", "MONTHLY or YEARLY"),
                   ("FREQ=YEARLY;BYWEEKNO=20;BYMONTH=1;BYDAY=MO", "never fires"), ("FREQ=DAILY;UNTIL=20200101", "never fires"),
                   ("FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", None), ("FREQ=YEARLY;BYWEEKNO=53", None),
                   ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;BYSETPOS=-1", None)]:
    base = os.path.join(lib.scratch, "rules")
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(lib.RULES, base)
    path = os.path.join(base, "campaigns/bravo-week/campaign.yaml")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    changed = text.replace("every: 2 weeks\n  on: [tuesday, thursday]", "rrule: " + rule)
    lib.check(changed != text, "the rhythm was found")
    with open(path, "w", encoding="utf-8") as file:
        file.write(changed)
    got = lib.nudge("check", base, ok=(0, 1)).stdout.decode()
    found = "E012" in got
    lib.check(found == (word is not None) and (word or "") in got, f"{rule} in a campaign: {word}: {got[:400]}")
lib.finish("when_dateutil")
