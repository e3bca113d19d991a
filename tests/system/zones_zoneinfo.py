"""Missing and doubled hours, both ways (wall to UTC, UTC to wall), against Python's zoneinfo.

One rule covers the day before, of and after a change of the clock, at the edges of every quarter of
an hour.  What is printed must be the instant (a missing time takes the offset before the gap, a
doubled one is the first, RFC 5545 3.3.5) and the wall time with its offset at that instant.
"""
from collections import Counter
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import lib

# Facts, so that a wrong zone file or a wrong zoneinfo cannot hide: zone, wall time, what it is.
FACTS = [
    ("Europe/Amsterdam", "2026-03-29T02:30", "2026-03-29T03:30:00+02:00"),  # missing
    ("Europe/Amsterdam", "2026-10-25T02:30", "2026-10-25T02:30:00+02:00"),  # doubled: the first
    ("Europe/Amsterdam", "2026-10-25T03:00", "2026-10-25T03:00:00+01:00"),
    ("America/New_York", "2026-03-08T02:30", "2026-03-08T03:30:00-04:00"),
    ("America/New_York", "2026-11-01T01:30", "2026-11-01T01:30:00-04:00"),
    ("America/New_York", "2099-11-01T01:30", "2099-11-01T01:30:00-04:00"),  # by the file's footer
    ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-04T02:45:00+11:00"),  # half an hour
    ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-05T01:45:00+11:00"),
    ("Antarctica/Troll", "2026-03-29T01:30", "2026-03-29T03:30:00+02:00"),  # two hours
    ("Antarctica/Troll", "2026-03-29T02:59:59", "2026-03-29T04:59:59+02:00"),
    ("Antarctica/Troll", "2026-10-25T01:00", "2026-10-25T01:00:00+02:00"),
    ("Antarctica/Troll", "2026-10-25T02:59:59", "2026-10-25T02:59:59+02:00"),
    ("Antarctica/Troll", "2026-10-25T03:00", "2026-10-25T03:00:00Z"),
    ("Africa/Casablanca", "2026-02-15T02:30", "2026-02-15T02:30:00+01:00"),  # back for Ramadan
    ("Africa/Casablanca", "2026-03-22T02:30", "2026-03-22T03:30:00+01:00"),
    ("Pacific/Apia", "2011-12-29T12:00", "2011-12-29T12:00:00-10:00"),
    ("Pacific/Apia", "2011-12-30T12:00", "2011-12-31T12:00:00+14:00"),  # the day that never was
    ("Pacific/Apia", "2011-12-31T00:00", "2011-12-31T00:00:00+14:00"),
    ("Pacific/Apia", "2020-09-27T03:30", "2020-09-27T04:30:00+14:00"),
    ("Pacific/Apia", "2021-04-04T03:30", "2021-04-04T03:30:00+14:00"),
]
NAMED = sorted({zone for zone, _, _ in FACTS})
OTHERS = ["Europe/Dublin", "Asia/Kathmandu", "America/St_Johns", "Asia/Tehran", "Africa/El_Aaiun",
          "America/Nuuk", "Asia/Gaza", "UTC"]
EDGES = ("FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))) +
         ";BYMINUTE=0,14,15,29,30,44,45,59;BYSECOND=0,59")
DAY = timedelta(days=1)


def kind(wall, zone):
    """Missing, doubled or plain, from the two readings of a wall time."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return "plain" if first == second else "doubled" if first > second else "missing"


def printed(wall, zone):
    at = wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc).astimezone(zone)
    text = at.isoformat()
    return text[:-6] + "Z" if text.endswith("+00:00") else text


def changes(zone, year):
    """The local days in which the offset changes; Apia's missing one counts."""
    for n in range(366):
        day = datetime(year, 1, 1) + n * DAY
        if day.replace(tzinfo=zone).utcoffset() != (day + DAY).replace(tzinfo=zone).utcoffset():
            yield day


def when(rule, start, name, count):
    return lib.nudge("when", "--rrule", rule, "--start", start, "--tz", name, "--count", str(count)).stdout.decode().split()


seen = Counter()


def around(name, year):
    zone = ZoneInfo(name)
    for day in changes(zone, year):
        walls = [day + n * DAY + timedelta(hours=hour, minutes=minute, seconds=second) for n in (-1, 0, 1)
                 for hour in range(24) for minute in (0, 14, 15, 29, 30, 44, 45, 59) for second in (0, 59)]
        got = when(EDGES, (day - DAY).isoformat(), name, len(walls))
        lib.check(len(got) == len(walls), f"{name} {day}: {len(got)} lines for {len(walls)} wall times")
        for wall, line in zip(walls, got):
            seen[name, kind(wall, zone)] += 1
            lib.check(line == printed(wall, zone), f"{name} {wall}: {line}, not {printed(wall, zone)}")


for name, wall, want in FACTS:
    lib.check(when("FREQ=DAILY", wall + ":00" * (wall.count(":") == 1), name, 1) == [want], f"{name} {wall} is {want}")
    lib.check(printed(datetime.fromisoformat(wall), ZoneInfo(name)) == want, f"zoneinfo has it too: {name} {wall}")
for name in NAMED:
    for year in (2010, 2011, 2012, 2020, 2021, 2026, 2027, 2030, 2037, 2038, 2045, 2087, 2100, 2150):
        around(name, year)
    for what in ("missing", "doubled"):
        lib.check(seen[name, what] > 60, f"{what} times of {name} were tried: {seen[name, what]}")
lib.check(seen["Pacific/Apia", "missing"] > 24 * 16, "Apia's day that never was, all of it")
for name in OTHERS:
    for year in (2011, 2026, 2045):
        around(name, year)
every = sorted(available_timezones() - set(NAMED) - set(OTHERS))
for name in every:
    around(name, 2026)

# The wall time does not drift after a gap: half past two stays half past two.
got = when("FREQ=DAILY", "2026-03-28T02:30:00", "Europe/Amsterdam", 3)
lib.check([line[11:16] for line in got] == ["02:30", "03:30", "02:30"], f"no drift after a gap: {got}")
totals = Counter()
for (name, what), n in seen.items():
    totals[what] += n
print(f"{dict(totals)} wall times around the changes of {len({name for name, _ in seen})} zones; "
      f"{len(every) + len(NAMED) + len(OTHERS)} zones looked at")
lib.finish("zones")
