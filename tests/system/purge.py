"""What is old is deleted, its counts are kept, and nobody's next message is another for it."""
import json
import os
import shutil
import sqlite3
import subprocess
from collections import Counter

import lib
from lib import check

ENGINE = os.path.join(os.environ["BUILD"], "crash_engine")
DAY = 86400000000
start, _ = lib.organisation(80, "2026-03-02", ["bravo-week", "yearly-talk", "monthly-cafe", "leave-hours"])
BRAVO = "bravo-week-2026-03-02"


def fresh(name, source=start):
    folder = os.path.join(lib.scratch, name)
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(source, folder)


def run(state, *steps, rules=lib.RULES, crash=0):
    told = subprocess.run([ENGINE, state, rules, str(crash), *steps], capture_output=True)
    check(told.returncode == (9 if crash else 0), f"{steps}: {told.returncode} {told.stderr}")
    return told.stdout, told.stderr.decode().split()


def query(state, sql, *values):
    with sqlite3.connect(f"{state}/nudged.db") as db:
        return db.execute(sql, values).fetchall()


def contents(state):
    with sqlite3.connect(f"{state}/nudged.db") as db:
        rows = {}
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [c[1] for c in db.execute(f"PRAGMA table_info({table})") if c[1] not in ("attempts", "lease")]
            rows[table] = sorted(db.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall(), key=str)
    return rows


# who has a message to answer after the first week
first = ["2026-03-02T00:00:00Z", "2026-03-06T20:00:00Z"]
got = [l["person"] for l in map(json.loads, run(fresh("first"), *first)[0].splitlines()) if l["verdict"] == "send" and l["run"] == BRAVO]
A, B, C, D, E, F = sorted(set(got))[:6]

# half a year with answers and an event; the same without any purge
span = [*first, f"answer={A},{BRAVO},later", f"answer={B},{BRAVO},done",
        f"answer={C},{BRAVO},not-for-me", f"event={E},questionnaire.finished", "2026-03-06T20:01:00Z", "2026-09-01T04:00:00Z",
        f"answer={D},{BRAVO},done", f"event={F},questionnaire.finished", "2026-09-01T04:01:00Z", "2026-09-02T23:00:00Z"]
whole, state = fresh("whole"), fresh("purged")
query(whole, "INSERT INTO meta VALUES('purge.at', ?)", 4000000000000000)
all_lines, _ = run(whole, *span)
lines, _ = run(state, *span)
check(query(whole, "SELECT count(*) FROM purged") == [(0,)], "the other one is not purged")
check(lines == all_lines, "every decision is the same as if nothing had been deleted")
check(lib.nudge("status", "--deep", state=state).returncode == 0, "all invariants hold")
now = 1788390000000000  # 2026-09-02T23:00Z, less than a day after the last purge
edge = now - 92 * DAY
for what, sql in (("deliveries", "SELECT count(*) FROM delivery WHERE created_at < ?"), ("answers", "SELECT count(*) FROM answer WHERE at < ?"),
                  ("events", "SELECT count(*) FROM event WHERE at < ?"), ("moments", "SELECT count(*) FROM decision WHERE verdict <> 0 AND at < ?"),
                  ("reasons", "SELECT count(*) FROM decision d WHERE verdict = 0 AND at < ? AND reasons || rules || coalesce(answer, '') <> ''"
                   " AND NOT EXISTS (SELECT 1 FROM answer a WHERE a.enrolment = d.enrolment AND a.occurrence = d.occurrence)"),
                  ("old contacts but the newest", "SELECT count(*) FROM contact c WHERE at < ? AND at < (SELECT max(at) FROM contact WHERE person = c.person)"
                   " AND EXISTS (SELECT 1 FROM decision d WHERE d.enrolment = c.enrolment AND d.at > c.at AND d.rules = '')")):
    check(query(state, sql, edge) == [(0,)], f"{what} are gone")
    check(what == "old contacts but the newest" or query(whole, sql, edge) > [(0,)], f"there were {what}")
check(query(state, "SELECT count(*) FROM answer")[0][0] >= 1 and query(state, "SELECT count(*) FROM event")[0][0] >= 1, "what is young stays")

# conservation, per run: created = what is left + what was purged
sent = Counter(l["run"] for l in map(json.loads, lines.splitlines()) if l["verdict"] == "send")
left = dict(query(state, "SELECT r.id, count(*) FROM delivery d JOIN run r ON r.row = d.run GROUP BY 1"))
gone = dict(query(state, "SELECT r.id, sum(n) FROM purged p JOIN run r ON r.row = p.run WHERE what IN ('delivered', 'expired', 'cancelled', 'dead') GROUP BY 1"))
for name, n in sent.items():
    check(n == left.get(name, 0) + gone.get(name, 0), f"{name}: {n} created, {left.get(name, 0)} left, {gone.get(name, 0)} purged")
check(sum(gone.values()) > 100, f"{gone} were purged")
for what in ("skip", "held"):
    a, b, c = (query(s, q, *v)[0][0] for s, q, v in (
        (whole, "SELECT count(*) FROM decision WHERE verdict = ?", [2 if what == "skip" else 3]), (state, "SELECT count(*) FROM decision WHERE verdict = ?", [2 if what == "skip" else 3]),
        (state, "SELECT coalesce(sum(n), 0) FROM purged WHERE what = ?", [what])))
    check(a == b + c, f"{a} {what}: {b} left, {c} purged")
check(query(state, "SELECT sum(n) FROM purged WHERE what = 'answers'") == [(3,)], "three answers are counted")
check("of which the count is left" in lib.nudge("status", state=state).stdout.decode(), "status tells it")
done = "SELECT person, campaign FROM completion ORDER BY 1, 2"
check(query(state, done) == query(whole, done) != [], "who is done stays done")
why = lib.nudge("why", B, state=state).stdout.decode()
check("-> done" not in why and len(why) > 100, f"an old answer is not told any more: {why[:400]}")
# a tampered count is found
with sqlite3.connect(f"{state}/nudged.db") as db:
    db.execute("DELETE FROM purged WHERE run = (SELECT row FROM run WHERE id = ?)", (BRAVO,))
check(lib.nudge("status", "--deep", state=state, ok=(1,)).returncode == 1, "a lost count is found")

# answers may be kept shorter than deliveries
rules = shutil.copytree(lib.RULES, os.path.join(lib.scratch, "rules"))
house = open(f"{rules}/house.yaml").read()
open(f"{rules}/house.yaml", "w").write(house.replace("keep_answers: 90 days", "keep_answers: 1 month"))
state = fresh("short")
run(state, *span[:5], span[6], "2026-04-06T19:00:00Z", rules=rules)
check(query(state, "SELECT count(*) FROM answer") == [(3,)], "a month is a month")
run(state, "2026-04-06T19:01:00Z", "2026-04-08T20:00:00Z", rules=rules)
check(query(state, "SELECT count(*) FROM answer") == [(1,)], "and a day: only the newest, whose number must not come back")
check(query(state, "SELECT count(*) FROM decision WHERE answer = ''")[0][0] == 2, "nor do the decisions tell them")
check(query(state, "SELECT count(*) FROM purged WHERE what = 'delivered'") == [(0,)], "deliveries stay")

# death after every commit of a purge ends in the same rows
base = fresh("base")
run(base, *span[:5], span[6], "2026-03-27T20:00:00Z")
later = ["2026-07-20T04:00:00Z", "2026-07-20T05:00:00Z"]
golden = fresh("golden", base)
commits = int(run(golden, *later)[1][-2])
want = contents(golden)
check(sum(n for _, _, n in want["purged"]) > 200, f"a purge after months: {want['purged']}")
for at in range(1, commits + 1):
    state = fresh("crashed", base)
    run(state, *later, crash=at)
    run(state, *later)
    got = contents(state)
    for table in want:
        check(got[table] == want[table], f"after commit {at} of {commits} the table {table} is as ever")
print(f"{sum(gone.values())} deliveries purged of {sum(sent.values())}; death at each of {commits} commits")
lib.finish("purge")
