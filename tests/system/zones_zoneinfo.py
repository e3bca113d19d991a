"""Missing and doubled hours, against Python's zoneinfo."""
import os
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import lib

named = ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll",
         "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin", "Asia/Kathmandu", "America/St_Johns",
         "Asia/Tehran", "Africa/El_Aaiun", "America/Nuuk", "Asia/Gaza", "UTC"]


def want(wall, zone):
    """The first of two; in a gap the offset before it (RFC 5545 3.3.5)."""
    t = wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)
    return t


def around(zone, year):
    """Local days on which the offset changes."""
    for n in range(366):
        day = datetime(year, 1, 1) + timedelta(days=n)
        if day.replace(tzinfo=zone).utcoffset() != (day + timedelta(days=1)).replace(tzinfo=zone).utcoffset():
            yield day


tried = 0
for name in named:
    zone = ZoneInfo(name)
    for year in (2011, 2026, 2030, 2045):
        for day in around(zone, year):
            for minutes in range(0, 300, 15):
                wall = day - timedelta(days=1) + timedelta(minutes=minutes)
                got = lib.nudge("when", "--rrule", "FREQ=DAILY", "--start", wall.isoformat(),
                                "--tz", name, "--count", "3").stdout.decode().split()
                for n, line in enumerate(got):
                    t = want(wall + timedelta(days=n), zone)
                    lib.check(datetime.fromisoformat(line.replace("Z", "+00:00")) == t,
                              f"{name} {wall + timedelta(days=n)}: {line}, not {t}")
                    tried += 1
print(tried, "wall times around", len(named), "zones' changes")
lib.check(tried > 2000, "many were tried")
lib.finish("zones")
