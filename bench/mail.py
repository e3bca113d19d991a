"""Personalised mails from the outbox to a sink, end to end and durable, beside smtp-source and nodemailer in one run.

mail.py [N]   needs Debian's postfix (smtp-source, smtp-sink); nodemailer where BUILD/bench-peers has it
The daemon and its peers are pinned to one core, the sink to the other.
"""
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["SRC"], "tests/delivery"))
import place as lib  # noqa: E402

N = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
SINK, CLIENT = ("taskset", "-c", "1"), ("taskset", "-c", "0")
SMTP_SINK = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
SMTP_SOURCE = shutil.which("smtp-source") or "/usr/sbin/smtp-source"


def listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def sink():
    port = lib.free_port()
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    process = lib.run([*SINK, SMTP_SINK, *user, f"127.0.0.1:{port}", "1024"])
    lib.wait("the sink listens", lambda: listening(port), 10)
    return process, port


def delayed_sink(delay, network=0.0):
    port = lib.free_port()
    process = lib.run([*SINK, os.path.join(os.environ["BUILD"], "bench_sink"), str(port), str(delay), str(network)])
    lib.wait("the sink listens", lambda: listening(port), 10)
    return process, port


def place(name, port, n, connections=16, extra=""):
    """A state with n people and as many mails that wait, written straight into the store."""
    p = lib.Place(1, f"channels: {{ email: smtp }}\nrelays:\n  - {{ host: 127.0.0.1, port: {port}, tls: none,"
                  f" connections: {connections} {extra}}}\n", name)
    with sqlite3.connect(f"{p.state}/nudged.db") as db:
        run = db.execute("SELECT row FROM run").fetchone()[0]
        columns = [c[1] for c in db.execute("PRAGMA table_info(person)")]
        one = dict(zip(columns, db.execute("SELECT * FROM person").fetchone()))
        db.execute("DELETE FROM due")
        now = int(time.time() * 1e6)
        for i in range(n):
            person = dict(one, row=i + 10, id=f"B{i}", name=f"Person {i}", first_name=f"Pat{i}", email=f"b{i}@zorg.example")
            db.execute(f"INSERT INTO person({','.join(columns)}) VALUES({','.join('?' * len(columns))})", [person[c] for c in columns])
            db.execute("INSERT INTO enrolment(row, run, person, state) VALUES(?, ?, ?, 0)", (i + 10, run, i + 10))
            db.execute("INSERT INTO decision(enrolment, occurrence, at, verdict, message, angle, frame, channel, messenger, language,"
                       " reasons, probability, number, rules) VALUES(?, 'b/0', ?, 0, 'walk-0', 'health', 1, 0, 'hr', 'en', '', 1, 1, '')",
                       (i + 10, now))
            db.execute("INSERT INTO delivery(enrolment, occurrence, channel, person, run, state, created_at, next_at, expires_at)"
                       " VALUES(?, 'b/0', 0, ?, ?, 0, ?, ?, ?)", (i + 10, i + 10, run, now, now, now + 8 * 3600 * 10**6))
    p.n = n
    return p


def run(p, pin=CLIENT):
    """Seconds from the first mail settled to the last, CPU per mail, peak resident MiB."""
    daemon = p.start(pin)
    end = time.monotonic() + 300
    left = 1
    while left and time.monotonic() < end:
        time.sleep(0.1)
        with sqlite3.connect(f"file:{p.state}/nudged.db?mode=ro", uri=True, timeout=20) as db:
            left = db.execute("SELECT count(*) FROM delivery WHERE state < 2").fetchone()[0]
    stat = open(f"/proc/{daemon.pid}/stat").read().rsplit(")", 1)[1].split()
    cpu = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    peak = [int(l.split()[1]) for l in open(f"/proc/{daemon.pid}/status") if l.startswith("VmHWM")][0] / 1024
    lib.stop(daemon)
    with sqlite3.connect(f"{p.state}/nudged.db") as db:
        states = dict(db.execute("SELECT state, count(*) FROM delivery GROUP BY state"))
        first, last, n = db.execute("SELECT min(settled_at), max(settled_at), count(*) FROM delivery WHERE state = 2").fetchone()
        early = db.execute("SELECT count(*) FROM delivery WHERE state = 2 AND settled_at = ?", (first,)).fetchone()[0]
    if set(states) - {2, 5}:
        print("  states:", states, p.said()[-500:])
    return (n - early) / ((last - first) / 1e6 or 1), cpu / n, peak


def source(port, n, size):
    start = time.monotonic()
    subprocess.run([*CLIENT, SMTP_SOURCE, "-s", "16", "-m", str(n), "-l", str(size), "-d", "-f", "a@b.example",
                    "-t", "c@d.example", f"127.0.0.1:{port}"], check=True)
    return n / (time.monotonic() - start)


def main():
    process, port = sink()
    ours, cpu, peak = run(place("sink", port, N))
    theirs = source(port, N, 4000)
    print(f"to smtp-sink, 16 connections: {ours:.0f} mails a second, {cpu * 1e6:.0f} us of CPU a mail, peak {peak:.0f} MiB; "
          f"smtp-source {theirs:.0f}; ratio {ours / theirs:.2f} (aim 1.2, floor 0.8)")
    process.kill()
    if not os.path.exists(os.path.join(os.environ["BUILD"], "bench_sink")):
        return
    for delay in (0.005, 0.02, 0.05):
        process, port = delayed_sink(delay)
        n = min(N, int(16 / delay * 6))
        rate, cpu, _ = run(place(f"dot{delay}", port, n))
        bound = 16 / delay
        print(f"{delay * 1000:.0f} ms at the dot: {rate:.0f} a second of {bound:.0f}: {rate / bound * 100:.0f} % (aim 90)")
        process.kill()
    process, port = delayed_sink(0, 0.01)
    ours, _, _ = run(place("far", port, min(N, 6000)))
    theirs = source(port, 1000, 4000)
    print(f"10 ms of network each way is 20 ms a round trip: {ours:.0f} a second, smtp-source {theirs:.0f}, ratio {ours / theirs:.1f} (aim 3)")
    process.kill()


main()
