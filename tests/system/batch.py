"""Sheets for the printer: in files that never change, each sheet exactly once, whenever the service dies."""
import glob
import html
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections import Counter

import lib

ENGINE, NUDGED = os.path.join(os.environ["BUILD"], "crash_engine"), os.environ["NUDGED"]
N, TEAMS = 130, 7
DAY = "2026-03-10"  # a Tuesday
BEFORE, AFTER = (f"{DAY}T00:00:00Z", f"{DAY}T14:50:00Z"), (f"{DAY}T14:51:00Z", f"{DAY}T16:00:00Z")  # 16:00 is 15:00 UTC
trace = os.path.join(lib.scratch, "trace")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def rules(folder, channels="print: 1", rhythm="every: 3 days, at: 09:00-15:00, times: 2"):
    write(f"{folder}/house.yaml", """languages: [en]
time_zone: Europe/Amsterdam
angles: [health]
messengers: { hr: { name: Team HR, reply_to: hr@zorg.example } }
rest: { days_off: [saturday, sunday] }
approvals: [hr]
""")
    write(f"{folder}/campaigns/paper/campaign.yaml", f"""title: {{ en: On paper }}
hook: {{ en: Good now }}
audience: {{ role: employee }}
rhythm: {{ {rhythm} }}
channels: {{ {channels} }}
""")
    write(f"{folder}/campaigns/paper/messages/walk.en.md", """---
angle: health
frame: gain
functions: [enable]
---
# {{first_name}}, a walk?

This sheet is of {{id}}.
""")
    return folder


def state_of(name, people, rule_base, start=DAY):
    state, csv = os.path.join(lib.scratch, name), os.path.join(lib.scratch, name + ".csv")
    write(csv, "id,name,email,team,role\n" + "".join(
        f"P{i},{chr(65 + i * 11 % 26)} Person {i},p{i}@zorg.example,{'' if i < 3 else f'Team {i % TEAMS}'},employee\n"
        for i in range(people)))
    lib.nudge("people", "import", csv, rules=rule_base, state=state)
    run = lib.nudge("schedule", "paper", "--start", start, rules=rule_base, state=state).stdout.decode().strip()
    lib.nudge("approve", run, "--as", "hr", rules=rule_base, state=state)
    return state, run


HOUR = os.path.join(lib.scratch, "hour.yaml")
write(HOUR, "print_at: 16:00\n")


def engine(state, *stretches, before=(), rule_base=None, config=HOUR):
    return subprocess.run([*before, ENGINE, state, rule_base or base, "0", *stretches], capture_output=True,
                          env={**os.environ, "DURABLE": "1", "CONFIG": config})


def files(state):
    return {os.path.relpath(p, f"{state}/spool/print"): open(p, encoding="utf-8").read()
            for p in glob.glob(f"{state}/spool/print/*/*.html")}


def sheets(page):
    return re.findall(r"This sheet is of (P\d+)\.", page)


def rows(state, sql):
    with sqlite3.connect(f"{state}/nudged.db") as db:
        return db.execute(sql).fetchall()


base = rules(os.path.join(lib.scratch, "rules"))
start, run = state_of("start", N, base)
told = engine(start, *BEFORE)
lib.check(told.returncode == 0 and not files(start), f"nothing is printed before the hour: {told.stderr}")
lib.check(rows(start, "SELECT state, count(*) FROM delivery GROUP BY state") == [(0, N)], "the sheets wait in the outbox")


def fresh(name, of=None):
    folder = os.path.join(lib.scratch, name)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(of or start, folder)
    return folder


# ---- the golden run: what HR gets ----
golden = fresh("golden")
told = engine(golden, *AFTER)
assert told.returncode == 0, told.stderr
want = files(golden)
lib.check(sorted(want) == [f"{DAY}/letters-001.html", f"{DAY}/letters-002.html"], f"a hundred a file: {sorted(want)}")
order = [i for name in sorted(want) for i in sheets(want[name])]
everybody = {r[0]: (r[1], r[2]) for r in rows(golden, "SELECT id, team, name FROM person")}
lib.check(order == sorted(everybody, key=lambda i: (everybody[i][0].lower(), everybody[i][1].lower())), "by team, then by name")
lib.check([len(sheets(want[n])) for n in sorted(want)] == [100, 30], "none is missing")
for name, page in want.items():
    cover, = re.findall(r'<div class="cover">.*?</table></div>', page, re.S)
    counts = [(html.unescape(t), int(n)) for t, n in re.findall(r"<tr><td>(.*?)</td><td>(\d+)</td></tr>", cover)]
    teams = Counter(everybody[i][0] or "no team" for i in sheets(page))
    lib.check(dict(counts) == dict(teams) and f": {len(sheets(page))} sheets" in cover, f"{name}: the cover counts {counts}")
    lib.check(page.count("<style>") == 1 and page.count('<section class="sheet') == len(sheets(page)), f"{name}: one style")
lib.check(Counter(r[0] for r in rows(golden, "SELECT receipt FROM delivery")) ==
          {"print/" + n: len(sheets(p)) for n, p in want.items()}, "the store knows in which file each sheet is")
lib.check(lib.nudge("status", "--deep", state=golden).returncode == 0, "sound")
# three days later it is a Friday: the cards, in files of their own; what was printed stays as it is
told = engine(golden, AFTER[1], "2026-03-13T16:00:00Z")
later = files(golden)
lib.check({n: later[n] for n in want} == want, "a file that was handed out never changes")
lib.check(sorted(set(later) - set(want)) == ["2026-03-13/cards-001.html", "2026-03-13/cards-002.html"], f"cards: {sorted(later)}")

# ---- a weekend, and a service that was away ----
friday = rules(os.path.join(lib.scratch, "friday"), rhythm="every: 1 week, at: 16:30-17:30, times: 1")
weekend, _ = state_of("weekend", 4, friday, "2026-03-13")
engine(weekend, "2026-03-13T00:00:00Z", "2026-03-16T16:00:00Z", rule_base=friday)
lib.check(sorted(files(weekend)) == ["2026-03-16/letters-001.html"], f"what is decided on Friday evening is printed on Monday: {sorted(files(weekend))}")
away = fresh("away")
engine(away, "2026-03-11T10:00:00Z", "2026-03-11T10:10:00Z")
lib.check([len(sheets(p)) for _, p in sorted(files(away).items())] == [100, 30], "away for less than a day: printed at once")
away = fresh("away")
engine(away, "2026-03-11T15:30:00Z", "2026-03-11T15:40:00Z")
lib.check(not files(away) and rows(away, "SELECT DISTINCT state FROM delivery") == [(4,)], "for more than a day: expired, not piled up")

# ---- without an hour: what falls due together is a file at once, under the name of the first of them ----
once = rules(os.path.join(lib.scratch, "once"), rhythm="every: 3 days, at: 10:00, times: 1")
now, _ = state_of("at-once", 20, once)
nothing = os.path.join(lib.scratch, "nothing.yaml")
write(nothing, "log_level: notice\n")
engine(now, f"{DAY}T00:00:00Z", f"{DAY}T09:30:00Z", rule_base=once, config=nothing)
lib.check([len(sheets(open(p).read())) for p in glob.glob(f"{now}/spool/*/*.html")] == [20], f"one file of all that is due: {os.listdir(now + '/spool')}")
name, = {r[0] for r in rows(now, "SELECT receipt FROM delivery")}
first = re.fullmatch(rf"{DAY}/d0*(\d+)\.html", name)
lib.check(os.path.exists(f"{now}/spool/{name}") and sheets(open(f"{now}/spool/{name}").read())[0] ==
          rows(now, f"SELECT p.id FROM delivery d JOIN person p ON p.row = d.person WHERE d.row = {first[1]}")[0][0], f"named by the first: {name}")

# the first of them cannot be made, and is tried again by hand on the same day: in a file of its own
again = fresh("again")
row = min(r[0] for r in rows(again, "SELECT row FROM delivery"))
for k, message in enumerate(("gone", "walk")):
    with sqlite3.connect(f"{again}/nudged.db") as db:
        db.execute("UPDATE decision SET message = ? WHERE (enrolment, occurrence) ="
                   " (SELECT enrolment, occurrence FROM delivery WHERE row = ?)", (message, row))
        db.execute("UPDATE delivery SET next_at = created_at, expires_at = 2000000000000000")
        db.execute("UPDATE person SET name = '!', team = '' WHERE row = (SELECT person FROM delivery WHERE row = ?)", (row,))
    told = engine(again, f"{DAY}T15:{k}0:00Z", f"{DAY}T15:{k}5:00Z", config=nothing)
    lib.check(told.returncode == 0, f"{message}: {told.stderr[-300:]}")
    lib.check(rows(again, f"SELECT state FROM delivery WHERE row = {row}") == [(6 if message == "gone" else 2,)], f"{message}: its state")
    lib.nudge("queue", "--requeue", f"d{row}", rules=base, state=again, ok=(0, 1))
count = Counter(i for p in glob.glob(f"{again}/spool/*/*.html") for i in sheets(open(p).read()))
lib.check(count == Counter(set(everybody)), f"each sheet once: {Counter(set(everybody)) - count}")

# ---- a stop reaches what waits for the printer ----
stopped = fresh("stopped")
lib.nudge("answer", "P5", run, "stop", rules=base, state=stopped)
engine(stopped, *AFTER)
lib.check(sorted(i for p in files(stopped).values() for i in sheets(p)) == sorted(set(everybody) - {"P5"}), "who stopped gets no sheet")

# ---- death at every call that changes a file, from the first draft on ----
CALLS = "openat|write|pwrite64|fsync|fdatasync|rename|unlink|mkdir|ftruncate|close|munmap"
fresh("traced")
told = engine(os.path.join(lib.scratch, "traced"), *AFTER,
              before=("strace", "-f", "-qq", "-o", trace, "-e", "trace=" + CALLS.replace("|", ",")))
assert told.returncode == 0, told.stderr
lines = open(trace, errors="replace").read().splitlines()
seen, points, begun = Counter(), [], False
for line in lines:
    call = re.match(r"\d+ +(\w+)\(", line)
    if call is None:
        continue
    seen[call[1]] += 1
    begun = begun or "/spool/print" in line
    if begun and call[1] not in ("close", "munmap"):
        points.append((call[1], seen[call[1]]))
lib.check(len(points) > 40 and {p[0] for p in points} >= {"openat", "write", "fsync", "rename", "mkdir"}, f"{len(points)} calls")
last, left = {}, Counter()
for call, k in points:
    where = f"death at {call} {k}"
    state = fresh("died")
    died = engine(state, *AFTER, before=("strace", "-f", "-qq", "-o", trace, "-e", "trace=" + call,
                                         "-e", f"inject={call}:signal=KILL:when={k}"))
    lib.check(died.returncode != 0, f"{where}: it died")
    seen_by_hr = files(state)
    ids = [i for p in seen_by_hr.values() for i in sheets(p)]
    left[len(seen_by_hr)] += 1
    lib.check(all(want.get(n) == p for n, p in seen_by_hr.items()), f"{where}: what has a name is whole")
    lib.check(len(set(ids)) == len(ids) and not rows(state, "SELECT 1 FROM delivery WHERE state = 1 AND receipt <> ''"), where)
    kept = dict(seen_by_hr)
    variant = len(last) % 3
    last[where] = 1
    if variant == 1:  # HR prints and clears away
        for name in kept:
            os.unlink(f"{state}/spool/print/{name}")
    elif variant == 2:  # somebody stops before it is back
        lib.nudge("answer", order[110], run, "stop", rules=base, state=state)
    again = engine(state, f"{DAY}T15:20:00Z", AFTER[1])
    lib.check(again.returncode == 0, f"{where}: it came back: {again.stderr}")
    now = files(state)
    if variant != 1:
        lib.check(all(now.get(n) == p for n, p in kept.items()), f"{where}: no file changed")
    lib.check(not set(now) & set(kept) or variant != 1, f"{where}: no name is given twice")
    count = Counter(i for p in {**now, **kept}.values() for i in sheets(p))
    cancelled = {r[0] for r in rows(state, "SELECT p.id FROM delivery d JOIN person p ON p.row = d.person WHERE d.state = 5")}
    lib.check(cancelled <= {order[110]}, f"{where}: only who stopped is left out: {cancelled}")
    lib.check(count == Counter(set(everybody) - cancelled), f"{where}: each sheet once: {(Counter(set(everybody)) - count) + (count - Counter(set(everybody)))}")
    lib.check(rows(state, "SELECT count(*) FROM delivery WHERE state NOT IN (2, 5)") == [(0,)] and
              rows(state, "SELECT count(*) FROM batch WHERE published = 0") == [(0,)], f"{where}: all is settled")
    lib.check(not os.path.exists(f"{state}/spool/print/draft"), f"{where}: no draft is left")
lib.check(lib.nudge("status", "--deep", state=state).returncode == 0, "sound after a death")
lib.check(len(left) == 3, f"deaths before, between and after the files: {left}")
print(len(points), "deaths")

# ---- dead with a draft that is settled and has no name yet, and then somebody in it is erased ----
state = fresh("erased")
engine(state, *AFTER, before=("strace", "-f", "-qq", "-o", trace, "-e", "trace=rename", "-e", "inject=rename:signal=KILL:when=2"))
lib.check(rows(state, "SELECT count(*) FROM batch WHERE published = 0") == [(1,)] and not files(state), "it died between the two")
lib.nudge("people", "forget", order[7], rules=base, state=state)
engine(state, f"{DAY}T15:20:00Z", AFTER[1])
count = Counter(i for p in files(state).values() for i in sheets(p))
lib.check(count == Counter(set(everybody) - {order[7]}), f"without their sheet: {count[order[7]]}, {(Counter(set(everybody)) - count)}")

# ---- a folder that cannot be written: the running service tries again, without a restart ----
for channel in ("print", "email"):
    rule_base = rules(os.path.join(lib.scratch, "now-" + channel), f"{channel}: 1", "on_event: go, after: [1 minute], late: 1 day")
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
    house = open(f"{rule_base}/house.yaml").read().replace("rest: { days_off: [saturday, sunday] }\n", "")
    write(f"{rule_base}/house.yaml", house)
    state, now_run = state_of("blocked-" + channel, 3, rule_base, today)
    moment = lambda ago: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))
    engine(state, moment(100), moment(90), rule_base=rule_base)
    for i in range(3):
        lib.nudge("event", f"P{i}", "go", "--at", moment(80), rules=rule_base, state=state)
    if channel == "print":
        os.environ["DURABLE"] = "1"
        engine(state, moment(15), moment(10), rule_base=rule_base)
        with sqlite3.connect(f"{state}/nudged.db") as db:
            db.execute("UPDATE delivery SET next_at = created_at")
    write(f"{state}/spool", "in the way")
    log = os.path.join(lib.scratch, channel + ".log")
    daemon = subprocess.Popen([NUDGED, "--config", HOUR, "--state", state, "--rules", rule_base, "--foreground"], stderr=open(log, "w"))
    try:
        end = time.monotonic() + 90
        while "spool" not in open(log).read() and time.monotonic() < end:
            time.sleep(0.05)
        lib.check(len(rows(state, "SELECT 1 FROM delivery")) == 3, f"{channel}: they were decided")
        os.unlink(f"{state}/spool")
        while rows(state, "SELECT count(*) FROM delivery WHERE state = 2") != [(3,)] and time.monotonic() < end:
            time.sleep(0.05)
        lib.check(rows(state, "SELECT state, count(*) FROM delivery GROUP BY state") == [(2, 3)],
                  f"{channel}: delivered as soon as it can be: {open(log).read()[-600:]}")
    finally:
        daemon.terminate()
        daemon.wait(20)
lib.finish("batch")
