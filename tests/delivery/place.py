"""An organisation whose messages are due at once, a mail server that writes down what it takes, and the join of both."""
import atexit
import csv
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.environ["SRC"], "tests/system"))
import lib  # noqa: E402
from lib import check, finish, scratch  # noqa: E402,F401

NUDGED = os.environ["NUDGED"]
HERE = os.path.join(os.environ["SRC"], "tests/delivery")
STATES = ["pending", "leased", "delivered", "uncertain", "expired", "cancelled", "dead"]


def noonish():
    """A zone without clock changes where it is between 11 and 12 o'clock now."""
    shift = 11 - datetime.now(timezone.utc).hour
    return f"Etc/GMT{-shift:+d}" if shift else "Etc/GMT"


def rules(folder, channels="email: 1", texts=3, extra=""):
    """One campaign that answers an event at once, without rest or budget to hold it back."""
    messages = os.path.join(folder, "campaigns/now/messages")
    os.makedirs(messages, exist_ok=True)
    with open(f"{folder}/house.yaml", "w") as f:
        f.write(f"languages: [en]\ntime_zone: {noonish()}\nangles: [health, mobility, work-life]\n"
                "messengers:\n  hr: { name: Team HR, reply_to: hr@zorg.example }\n"
                "budget: { week: 100, month: 400, gap: 1 minute }\nprivacy: { smallest_group: 15, keep_answers: 90 days }\n"
                "approvals: [hr]\n")
    with open(f"{folder}/campaigns/now/campaign.yaml", "w") as f:
        f.write("title: { en: A walk }\nhook: { en: Good now }\npriority: 5\n"
                "aim: { outcome: done, within: 14 days, target: 40% }\naudience: { role: employee }\n"
                "rhythm: { on_event: go, after: [1 minute, 14 days], late: 1 day }\n"
                f"channels: {{ {channels} }}\nvary: [message, angle]\n{extra}")
    for i, angle in zip(range(texts), ["health", "mobility", "work-life"] * texts):
        with open(f"{messages}/walk-{i}.en.md", "w") as f:
            f.write(f"---\nangle: {angle}\nframe: gain\nfunctions: [persuade]\nmessengers: [hr]\n"
                    "event: { start: +2 days 12:30, length: 30 minutes, place: Garden }\n---\n"
                    f"# {{{{first_name}}}}, a walk number {i}?\n\nTwenty minutes and you are back.\n\n"
                    "[I have done it]({{answer.done}})\n")
    return folder


class Place:
    """A state with n people whose run is approved, and the configuration of its servers.

    state: its folder, where it is not under that name; told: how many of the people are due; roster: rows of the CSV
    file, the first one its header, instead of Person 0, Person 1 ...; base: a rule base with a campaign `now` that
    answers the event `go`, instead of the one above.
    """

    def __init__(self, n, config="", name="state", state=None, told=None, roster=None, base=None, **more):
        self.state = os.path.join(scratch, state or name)
        self.rules = base or rules(os.path.join(scratch, name + "-rules"), **more)
        self.config = os.path.join(scratch, name + ".yaml")
        self.log = os.path.join(scratch, name + ".log")
        self.n = n
        self.configure(config)
        plain = [(f"P{i}", f"Person {i}", f"p{i}@zorg.example", f"t{i % 3}", "employee", f"@p{i}") for i in range(n)]
        people = os.path.join(scratch, name + ".csv")
        with open(people, "w", encoding="utf-8", newline="") as f:
            csv.writer(f).writerows(roster or [("id", "name", "email", "team", "role", "chat"), *plain])
        self.nudge("people", "import", people)
        day = datetime.now(timezone.utc) + timedelta(hours=11 - datetime.now(timezone.utc).hour)
        self.run = self.nudge("schedule", "now", "--start", day.strftime("%Y-%m-%d")).stdout.decode().strip()
        self.nudge("approve", self.run, "--as", "hr")
        # everybody is enrolled before anything happens to them
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        subprocess.run([os.path.join(os.environ["BUILD"], "crash_engine"), self.state, self.rules, "0", now, now],
                       check=True, capture_output=True)
        self.go(range(n if told is None else told))

    def go(self, people):
        """Tell an event of three minutes ago for each of these people: their message is due now."""
        then = (datetime.now(timezone.utc) - timedelta(minutes=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: self.nudge("event", f"P{i}", "go", "--at", then), people))

    def configure(self, config):
        with open(self.config, "w") as f:
            f.write("base_url: https://nudge.zorg.example\nfrom: nudge@zorg.example\n"
                    "bounce: bounce@zorg.example\norganisation: Zorggroep\n" + config)

    def nudge(self, *args, ok=(0,)):
        return lib.nudge("--config", self.config, *args, rules=self.rules, state=self.state, ok=ok)

    def command(self):
        return [NUDGED, "--config", self.config, "--state", self.state, "--rules", self.rules, "--foreground"]

    def start(self, before=(), program=None):
        command = self.command()
        return run([*before, program or command[0], *command[1:]], stderr=open(self.log, "a"))

    def database(self):
        return closing(sqlite3.connect(f"file:{self.state}/nudged.db?mode=ro", uri=True, timeout=20))

    def counts(self):
        with self.database() as db:
            return {STATES[s]: n for s, n in db.execute("SELECT state, count(*) FROM delivery GROUP BY state")}

    def rows(self):
        """Delivery row -> (state, address, reason)."""
        with self.database() as db:
            return {row: (STATES[state], address, reason) for row, state, address, reason in db.execute(
                "SELECT d.row, d.state, p.email, d.reason FROM delivery d JOIN person p ON p.row = d.person")}

    def settled(self):
        c = self.counts()
        return sum(c.values()) == self.n and not c.get("pending") and not c.get("leased")

    def said(self):
        return open(self.log).read()


def wait(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    check(False, f"{what} within {seconds} s")
    return False


children = []


@atexit.register
def end_children():
    """Also when the test itself failed: nothing of it stays behind."""
    for child in children:
        if child.poll() is None:
            child.kill()
            child.wait()


def run(args, **more):
    child = subprocess.Popen(args, **more)
    children.append(child)
    return child


def stop(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        check(False, "the service ends when it is asked to")
        return process.wait(10)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Sink:
    """sink.py as a process: accepts, writes down and syncs before it answers."""

    def __init__(self, name="sink", **options):
        self.port = free_port()
        self.out = os.path.join(scratch, name + ".jsonl")
        open(self.out, "a").close()
        self.name, self.options, self.process = name, options, None
        self.start()

    def start(self):
        args = [a for k, v in self.options.items() for a in (f"--{k.replace('_', '-')}", str(v))]
        self.process = run(["/usr/bin/python3", f"{HERE}/sink.py", str(self.port), self.out, *args], stdout=subprocess.DEVNULL)

        def there():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0
        wait("the sink listens", there, 10)

    def relay(self, **more):
        rest = "".join(f", {k}: {v}" for k, v in more.items())
        return f"channels: {{ email: smtp }}\nrelays:\n  - {{ host: 127.0.0.1, port: {self.port}, tls: none{rest} }}\n"

    def taken(self):
        """Message-ID -> how often, sender token, recipient."""
        got = {}
        for line in open(self.out):
            m = json.loads(line)
            got.setdefault(m["id"], []).append(m)
        return got

    def count(self):
        return sum(1 for _ in open(self.out))

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def defects(place, sink):
    """What is wrong between what came and what the outbox says; and the rows."""
    taken, rows = sink.taken(), place.rows()
    by_row, wrong = {}, []
    for messages in taken.values():
        if len(messages) != 1:
            wrong.append(f"{messages[0]['id']} came {len(messages)} times")
        row = int(re.match(r"bounce\+([0-9a-f]+)\.", messages[0]["sender"]).group(1), 16)
        if row in by_row:
            wrong.append(f"delivery {row} came under two names")
        by_row[row] = messages[0]
    for row, (state, address, reason) in rows.items():
        came = row in by_row
        if state == "delivered" and not came:
            wrong.append(f"d{row} is delivered but never came")
        elif came and state not in ("delivered", "uncertain"):
            wrong.append(f"d{row} came but is {state} ({reason})")
        if came and by_row[row]["recipient"] != address:
            wrong.append(f"d{row} went to {by_row[row]['recipient']}")
    wrong += [f"d{row} came but is not in the outbox" for row in set(by_row) - set(rows)]
    return wrong, rows


def join(place, sink, what):
    """None lost, none twice, none unexplained."""
    wrong, rows = defects(place, sink)
    for sentence in wrong:
        check(False, f"{what}: {sentence}")
    check(len(rows) == place.n, f"{what}: {len(rows)} deliveries for {place.n} people")
    check(place.nudge("status", "--deep").returncode == 0, f"{what}: the invariants hold")
    return rows
