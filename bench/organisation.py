"""organisation.py PEOPLE CAMPAIGNS START DIR: DIR/rules with copies of the shipped campaigns under other
ids, DIR/state with the people and an approved run of each."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.environ["SRC"], "tests/system"))
import lib

people, campaigns, start, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
rules, state, csv = f"{folder}/rules", f"{folder}/state", f"{folder}/people.csv"
shutil.copytree(lib.RULES, rules)
shipped = sorted(os.listdir(f"{rules}/campaigns"))
for i in range(len(shipped), campaigns):
    name = shipped[i % len(shipped)]
    shutil.copytree(f"{rules}/campaigns/{name}", f"{rules}/campaigns/{name}-{i // len(shipped) + 1}")
lib.people_csv(csv, people)
lib.nudge("people", "import", csv, rules=rules, state=state)
for campaign in sorted(os.listdir(f"{rules}/campaigns"))[:campaigns]:
    run = lib.nudge("schedule", campaign, "--start", start, rules=rules, state=state).stdout.decode().strip()
    for role in ("hr", "works-council"):
        lib.nudge("approve", run, "--as", role, rules=rules, state=state)
shutil.rmtree(lib.scratch)
