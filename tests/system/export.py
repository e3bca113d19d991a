"""What is stored about a person is in their export, table by table, and after an erasure in no table at all."""
import json
import os
import sqlite3
import subprocess

import lib

ENGINE = os.path.join(os.environ["BUILD"], "crash_engine")
rules = os.path.join(lib.scratch, "rules")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


write(f"{rules}/house.yaml", """languages: [en]
time_zone: Europe/Amsterdam
angles: [health]
messengers: { hr: { name: Team HR, reply_to: hr@zorg.example } }
approvals: [hr]
""")
write(f"{rules}/campaigns/walk/campaign.yaml", """title: { en: A walk }
hook: { en: Good now }
audience: { role: employee }
rhythm: { every: 1 week, at: 09:00-10:00, times: 4 }
channels: { together: [email, calendar, print] }
""")
write(f"{rules}/campaigns/walk/messages/all.en.md", """---
angle: health
frame: gain
functions: [enable]
event: { start: +3 days 12:30, length: 30 minutes, place: Garden }
---
# {{first_name}}, a walk?

A walk.
""")
write(f"{lib.scratch}/hour.yaml", "print_at: 16:00\n")
os.environ["CONFIG"] = f"{lib.scratch}/hour.yaml"
state, csv = os.path.join(lib.scratch, "state"), os.path.join(lib.scratch, "people.csv")
write(csv, "id,name,email,team,role,shoe_size\nCANARY1,Ann Example,ann@zorg.example,a,employee,39\nOTHER,Bob Example,bob@zorg.example,a,employee,44\n")


def nudge(*args, ok=(0,)):
    return lib.nudge(*args, rules=rules, state=state, ok=ok)


nudge("people", "import", csv)
run = nudge("schedule", "walk", "--start", "2026-03-02").stdout.decode().strip()
nudge("approve", run, "--as", "hr")
subprocess.run([ENGINE, state, rules, "0", "2026-03-02T00:00:00Z", "2026-03-09T18:00:00Z"], check=True, capture_output=True)
nudge("event", "CANARY1", "signed_up")
nudge("answer", "CANARY1", run, "done")
nudge("why", "CANARY1")
nudge("plan", "--person", "CANARY1")
nudge("preview", "walk/all", "--person", "CANARY1")
nudge("people", "show", "CANARY1")
# somebody's moment is still ahead
with sqlite3.connect(f"{state}/nudged.db") as db:
    db.execute("INSERT OR IGNORE INTO due SELECT 1900000000000000, row, 3, 0, '' FROM enrolment")
told = json.loads(nudge("people", "export", "CANARY1").stdout)

# Where a table's rows about a person are in the export; None: with the reason why they are not.
IN_EXPORT = {"enrolment": "enrolments", "due": "planned", "decision": "decisions", "delivery": "deliveries", "answer": "answers",
             "contact": "contacts", "event": "events", "completion": "done", "invitation": "invitations", "feed": "feed"}
ABOUT_NOBODY = {"meta": "settings and marks of the service", "team": "teams", "run": "runs", "approval": "who approved, by role",
                "erased": "a hash that keeps who was erased out", "purged": "counts", "destination": "servers",
                "feed_gone": "names of files to remove, until the next tick", "batch": "counts of sheets"}
with sqlite3.connect(f"{state}/nudged.db") as db:
    person, = db.execute("SELECT row FROM person WHERE id = 'CANARY1'").fetchone()
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        columns = {c[1] for c in db.execute(f"PRAGMA table_info({table})")}
        whose = "person = ?1" if "person" in columns else \
            "enrolment IN (SELECT row FROM enrolment WHERE person = ?1)" if "enrolment" in columns else \
            "delivery IN (SELECT row FROM delivery WHERE person = ?1)" if "delivery" in columns else \
            "subject = 'CANARY1'" if table == "audit" else None
        if table == "person":
            continue
        if whose is None:
            lib.check(table in ABOUT_NOBODY, f"the table {table} is about nobody, or the export must know it")
            continue
        n, = db.execute(f"SELECT count(*) FROM {table} WHERE {whose}", (person,) * whose.count("?")).fetchone()
        key = "looks" if table == "audit" else IN_EXPORT.get(table)
        lib.check(key is not None, f"the table {table} holds rows of a person that the export does not tell")
        lib.check(n > 0 and len(told.get(key, [])) == n, f"{table}: {n} rows, {len(told.get(key, []))} in the export")
    db.row_factory = sqlite3.Row
    roster = dict(db.execute("SELECT * FROM person WHERE row = ?", (person,)).fetchone())
for column in sorted(set(roster) - {"row", "attributes"}):
    lib.check(column in told or column in told["record"][0] or roster[column] == "", f"the roster's {column} is in the export")
lib.check(told["shoe_size"] == "39", "and a column of the house's own")
lib.check([l["action"] for l in told["looks"]] == ["why", "plan", "preview", "show", "export"], f"who looked: {told['looks']}")
lib.check(any(d["receipt"].startswith("print/2026-03-") for d in told["deliveries"]), "in which file their sheet is")
lib.check(len(told["invitations"]) == 2 and told["invitations"][0]["zone"] == "Europe/Amsterdam", f"{told['invitations'][:1]}")
lib.check(json.loads(nudge("people", "export", "OTHER").stdout)["id"] == "OTHER", "each their own")
# erased: no table has the id, the name or the address any more
nudge("people", "forget", "CANARY1")
subprocess.run([ENGINE, state, rules, "0", "2026-03-09T18:01:00Z", "2026-03-09T18:05:00Z"], check=True, capture_output=True)
with sqlite3.connect(f"{state}/nudged.db") as db:
    dump = "\n".join(db.iterdump())
lib.check(not any(w in dump for w in ("CANARY1", "Ann", "ann@zorg")), f"no trace: {[l for l in dump.splitlines() if 'CANARY1' in l][:3]}")
lib.finish("export")
