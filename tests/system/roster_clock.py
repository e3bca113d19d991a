"""A roster that changes after the clock was set back: the change is looked at all the same."""
import os
import sqlite3
import subprocess
import time

import lib

ENGINE = os.path.join(os.environ["BUILD"], "crash_engine")
now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
state, csv = lib.organisation(60, now[:10], ["bravo-week"])


later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))


def enrolled():
    subprocess.run([ENGINE, state, lib.RULES, "0", now, later], check=True, capture_output=True)
    with sqlite3.connect(f"{state}/nudged.db") as db:
        return {p for (p,) in db.execute("SELECT p.id FROM enrolment e JOIN person p ON p.row = e.person")}


before = enrolled()
lib.check(len(before) > 5, f"{len(before)} are enrolled")
# what is in the store was written while the clock was two days ahead
with sqlite3.connect(f"{state}/nudged.db") as db:
    ahead = int((time.time() + 2 * 86400) * 1e6)
    db.execute("UPDATE person SET changed_at = ?", (ahead,))
    db.execute("UPDATE run SET enrolled_at = ?", (ahead,))
head, *rows = open(csv).read().splitlines()
fields = next(r for r in rows if r.split(",")[0] in before and ",employee," in r).split(",")
fields[0:3] = ["NEW", "New Person", "new@zorg.example"]
open(csv, "w").write("\n".join([head, *rows, ",".join(fields)]) + "\n")
lib.nudge("people", "import", csv, state=state)
lib.check(enrolled() == before | {"NEW"}, "who joined after the clock was set back is enrolled")
lib.finish("roster and clock")
