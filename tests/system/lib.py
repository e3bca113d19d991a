"""What the system tests share: where the programs are, how to run them, a scratch folder."""
import datetime
import os
import random
import shutil
import subprocess
import sys
import tempfile

NUDGE = os.environ["NUDGE"]
SRC = os.environ["SRC"]
RULES = os.path.join(SRC, "rules")
scratch = tempfile.mkdtemp(prefix="nudged-test-")
failures = 0


def nudge(*args, rules=RULES, state=None, stdin=None, ok=(0,)):
    command = [NUDGE, "--rules", rules]
    if state:
        command += ["--state", state]
    result = subprocess.run(command + list(args), capture_output=True, input=stdin)
    if result.returncode not in ok:
        sys.exit(f"{args}: exit {result.returncode}\n{result.stderr.decode()[-3000:]}")
    return result


def check(good, sentence):
    global failures
    if not good:
        failures += 1
        if failures <= 20:
            print("not true:", sentence)


def finish(what):
    shutil.rmtree(scratch, ignore_errors=True)
    print(f"{what}: {failures} failures")
    sys.exit(1 if failures else 0)


def people_csv(path, n, seed=3):
    """n people with managers, ambassadors, absences, two languages, several zones."""
    draw = random.Random(seed)
    with open(path, "w", encoding="utf-8") as out:
        out.write("id,name,email,team,language,role,time_zone,hire_date,contract_hours,manager,"
                  "chat,leave_hours,absence_from,absence_until,ambassador,work_days,work_hours\n")
        for i in range(n):
            manager = "" if i < 20 else f"P{i % 20}"
            start = datetime.date(2026, 1, 5) + datetime.timedelta(draw.randint(0, 330))
            away = (start, start + datetime.timedelta(draw.choice([0, 1, 4, 9, 20, 90]))) \
                if draw.random() < 0.3 else ("", "")
            zone = draw.choice(["", "", "", "America/New_York", "Australia/Lord_Howe",
                                "Africa/Casablanca"])
            out.write(f"P{i},Person {i},p{i}@zorg.example,t{i % 20},{draw.choice(['nl', 'nl', 'en'])},"
                      f"{'manager' if i < 20 else 'employee'},{zone},"
                      f"{draw.randint(2005, 2025)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02},"
                      f"{draw.choice([4, 16, 24, 36])},{manager},"
                      f"{'@p' + str(i) if draw.random() < 0.7 else ''},{draw.randint(0, 160)},"
                      f"{away[0]},{away[1]},{'yes' if i % 25 == 3 else ''},"
                      f"{'monday tuesday thursday' if draw.random() < 0.1 else ''},"
                      f"{'09:15-12:45' if draw.random() < 0.1 else ''}\n")


def organisation(n, start, campaigns=None):
    """A state with n people and an approved run of each campaign."""
    state = os.path.join(scratch, "state")
    csv = os.path.join(scratch, "people.csv")
    people_csv(csv, n)
    nudge("people", "import", csv, state=state)
    for campaign in campaigns or sorted(os.listdir(os.path.join(RULES, "campaigns"))):
        run = nudge("schedule", campaign, "--start", start, state=state).stdout.decode().strip()
        for role in ("hr", "works-council"):
            nudge("approve", run, "--as", role, state=state)
    return state, csv
