"""`nudge when --rrule` against python3-dateutil."""
import random
from datetime import datetime

from dateutil.rrule import rrulestr

import lib

draw = random.Random(5)
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
rules = [  # the examples of RFC 5545 3.8.5.3 of day or coarser frequency
    "FREQ=DAILY;COUNT=10", "FREQ=DAILY;UNTIL=19971224", "FREQ=DAILY;INTERVAL=2",
    "FREQ=DAILY;INTERVAL=10;COUNT=5", "FREQ=YEARLY;UNTIL=20000131;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
    "FREQ=DAILY;UNTIL=20000131;BYMONTH=1", "FREQ=WEEKLY;COUNT=10", "FREQ=WEEKLY;INTERVAL=2;WKST=SU",
    "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224;WKST=SU;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "FREQ=MONTHLY;COUNT=10;BYDAY=1FR",
    "FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",
    "FREQ=MONTHLY;BYMONTHDAY=-3", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",
    "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
    "FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
    "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", "FREQ=YEARLY;BYDAY=20MO",
    "FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
    "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
    "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
    "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
    "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
]
for _ in range(300):
    frequency = draw.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    rule = f"FREQ={frequency};INTERVAL={draw.randint(1, 4)}"
    if frequency == "MONTHLY" and draw.random() < 0.5:
        rule += f";BYDAY={draw.choice([-1, 1, 2, 3])}{draw.choice(DAYS)}"
    elif frequency == "MONTHLY" and draw.random() < 0.5:
        rule += f";BYMONTHDAY={draw.choice([1, 5, 28, 31, -1])}"
    elif draw.random() < 0.5:
        rule += ";BYDAY=" + ",".join(sorted(draw.sample(DAYS, draw.randint(1, 3)), key=DAYS.index))
    if draw.random() < 0.3:
        rule += f";BYMONTH={draw.randint(1, 12)}"
    rules.append(rule)
refused = 0
for rule in rules:
    start = datetime(1997, 9, 2, 9)
    got = lib.nudge("when", "--rrule", rule, "--start", start.isoformat(), "--tz", "UTC", "--count", "40", ok=(0, 1))
    if got.returncode == 1:
        refused += 1
        print(rule, got.stderr.decode().strip())
        continue
    want = []
    # dateutil reads a bare UNTIL as midnight; RFC 5545 means the day
    for moment in rrulestr(rule.replace("19971224", "19971224T235959").replace("20000131", "20000131T235959"), dtstart=start):
        if len(want) == 40:
            break
        want.append(moment.isoformat() + "Z")
    lib.check(got.stdout.decode().split() == want, f"{rule}: {got.stdout.decode().split()[:4]} but {want[:4]}")
lib.check(refused == 0, f"{refused} rules that are computed were refused")
for rule in ("FREQ=HOURLY", "FREQ=SECONDLY", "INTERVAL=2", "FREQ=WEEKLY;BYDAY=2MO", "FREQ=DAILY;BYHOUR=9,9",
             "FREQ=YEARLY;BYWEEKNO=20", "FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=1", "FREQ=DAILY;COUNT=2;UNTIL=20300101",
             "FREQ=DAILY;INTERVAL=0", "FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=DAILY;FREQ=DAILY", "nonsense"):
    got = lib.nudge("when", "--rrule", rule, "--start", "2026-01-01", ok=(1,))
    lib.check(b"refused" in got.stderr, f"{rule} is refused with a reason")
got = lib.nudge("when", "--rrule", "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "--start", "2026-01-01")
lib.check(got.stdout == b"", "30 February never comes, and that is found out quickly")
lib.finish("when_dateutil")
