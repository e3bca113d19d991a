"""Personalised mails from the outbox to a sink, end to end and durable, beside smtp-source and nodemailer in one run.

mail.py [N]   needs Debian's postfix (smtp-source, smtp-sink, postfix; that one as root) and nodemailer in $NODEMAILER
QUICK=1       fewer mails, one round, no 200,000 rows
REALTIME=1    as root, on a machine that does other work: all of them before it, or delays of milliseconds cannot be measured
The daemon and its peers are pinned to one core, the sink to the other.
"""
import json
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import namedtuple

sys.path.insert(0, os.path.join(os.environ["SRC"], "tests/delivery"))
import place as lib  # noqa: E402

QUICK = bool(os.environ.get("QUICK"))
N = int(sys.argv[1]) if len(sys.argv) > 1 else 3000 if QUICK else 20000
ROUNDS = 1 if QUICK else 3
CONNECTIONS = 16
BEFORE = ("chrt", "-f", "40") if os.environ.get("REALTIME") else ()
SINK, CLIENT = (*BEFORE, "taskset", "-c", "1"), (*BEFORE, "taskset", "-c", "0")
SMTP_SINK = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
SMTP_SOURCE = shutil.which("smtp-source") or "/usr/sbin/smtp-source"
NODEMAILER = os.environ.get("NODEMAILER", "")
Run = namedtuple("Run", "rate cpu peak anon")  # mails a second, seconds of CPU a mail, KiB resident at most, of it anonymous


def say(text):
    print(f"  {text}  [load {os.getloadavg()[0]:.1f}]", flush=True)


def connects(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def postfix_sink():
    port = lib.free_port()
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    process = lib.run([*SINK, SMTP_SINK, *user, f"127.0.0.1:{port}", "1024"])
    lib.wait("the sink listens", lambda: connects(port), 10)
    return process, port


def our_sink(dot=0.0, network=0.0, *options):
    port = lib.free_port()
    process = lib.run([*SINK, os.path.join(os.environ["BUILD"], "bench_sink"), *options, str(port), str(dot), str(network)],
                      stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    return process, port


def counts(process):
    process.send_signal(signal.SIGTERM)
    return json.loads(process.communicate(timeout=30)[0])


def delay_check():
    """The sink's delays are what it says, and its turns too."""
    process, port = our_sink(0.05, 0.02)
    with socket.create_connection(("127.0.0.1", port)) as s, s.makefile("rb") as f:
        def took(command, replies):
            start = time.monotonic()
            s.sendall(command)
            for _ in range(replies):
                f.readline()
            return (time.monotonic() - start) * 1000
        f.readline()
        took(b"EHLO x\r\n", 5)
        envelope = b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n"
        far = statistics.median(took(b"NOOP\r\n", 1) for _ in range(9))
        took(envelope, 3)
        dot = statistics.median(took(b"x\r\n.\r\n" + envelope, 4) for _ in range(9))
    c = counts(process)
    good = 40 <= far < 45 and 90 <= dot < 96 and c["turns"] == 20 and c["mails"] == 9
    say(f"the sink with 20 ms each way and 50 ms at the dot: a round trip {far:.1f} ms, a mail {dot:.1f} ms, "
        f"{c['turns']} turns of 20{'' if good else ': NOT what it should be, so are the figures below'}")


def place(name, port, n, extra=""):
    """A state with n people and as many mails that wait, written straight into the store."""
    p = lib.Place(1, f"channels: {{ email: smtp }}\nrelays:\n  - {{ host: 127.0.0.1, port: {port}, tls: none,"
                  f" connections: {CONNECTIONS} {extra}}}\n", name)
    with sqlite3.connect(f"{p.state}/nudged.db") as db:
        run = db.execute("SELECT row FROM run").fetchone()[0]
        columns = [c[1] for c in db.execute("PRAGMA table_info(person)")]
        one = dict(zip(columns, db.execute("SELECT * FROM person").fetchone()))
        now = int(time.time() * 1e6)
        rows = range(10, n + 10)
        db.execute("DELETE FROM due")
        db.executemany(f"INSERT INTO person({','.join(columns)}) VALUES({','.join('?' * len(columns))})",
                       ([dict(one, row=i, id=f"B{i}", name=f"Person {i}", first_name=f"Pat{i}",
                              email=f"b{i}@zorg.example")[c] for c in columns] for i in rows))
        db.executemany("INSERT INTO enrolment(row, run, person, state) VALUES(?, ?, ?, 0)", ((i, run, i) for i in rows))
        db.executemany("INSERT INTO decision(enrolment, occurrence, at, verdict, message, angle, frame, channel, messenger,"
                       " language, reasons, probability, number, rules) VALUES(?, 'b/0', ?, 0, 'walk-0', 'health', 1, 0,"
                       " 'hr', 'en', '', 1, 1, '')", ((i, now) for i in rows))
        db.executemany("INSERT INTO delivery(enrolment, occurrence, channel, person, run, state, created_at, next_at,"
                       " expires_at) VALUES(?, 'b/0', 0, ?, ?, 0, ?, ?, ?)",
                       ((i, i, run, now, now, now + 8 * 3600 * 10**6) for i in rows))
    return p


def status(pid, key):
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith(key + ":"))


def drain(p, limit=300, skip=0.0):
    """Start the daemon and let it send all that waits; the state is removed.  The rate is without the first `skip` of them."""
    daemon = p.start(CLIENT)
    end = time.monotonic() + limit
    while True:
        time.sleep(0.1)
        if daemon.poll() is not None or time.monotonic() > end:
            sys.exit(f"the daemon did not send all: {p.counts()}\n{p.said()[-2000:]}")
        with sqlite3.connect(f"file:{p.state}/nudged.db?mode=ro", uri=True, timeout=20) as db:
            if db.execute("SELECT 1 FROM delivery WHERE settled_at IS NULL LIMIT 1").fetchone() is None:
                break
    stat = open(f"/proc/{daemon.pid}/stat").read().rsplit(")", 1)[1].split()
    cpu = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    peak, anon = status(daemon.pid, "VmHWM"), status(daemon.pid, "RssAnon")
    lib.stop(daemon)
    with sqlite3.connect(f"{p.state}/nudged.db") as db:
        states = dict(db.execute("SELECT state, count(*) FROM delivery GROUP BY state"))
        at = [row[0] for row in db.execute("SELECT settled_at FROM delivery WHERE state IN (2, 6) ORDER BY 1")]
        n = len(at)
        first, last = at[int(n * skip)], at[-1]
        early = sum(1 for t in at if t <= first)
    if set(states) - {2, 5, 6}:
        say(f"not all went well: {p.counts()}")
    shutil.rmtree(p.state)
    return Run((n - early) / ((last - first) / 1e6 or 1), cpu / n, peak, anon)


def source(port, n, size, *options):
    """The rate of smtp-source; ours counts from the first settled to the last, so its start costs it as little."""
    start = time.monotonic()
    subprocess.run([*CLIENT, SMTP_SOURCE, "-s", str(CONNECTIONS), "-m", str(n), "-l", str(size), "-d", *options, "-f", "a@b.example",
                    "-t", "c@d.example", f"127.0.0.1:{port}"], check=True)
    return n / (time.monotonic() - start)


def parts():
    """The mail's text and page, for the peer."""
    p = place("parts", 1, 0)
    made = []
    for kind in ("text", "html"):
        path = os.path.join(lib.scratch, "mail." + kind)
        with open(path, "wb") as f:
            f.write(p.nudge("preview", "now/walk-0", "--as", kind).stdout)
        made.append(path)
    return made


def nodemailer(port, n, files):
    if not os.path.isdir(NODEMAILER):
        return None
    r = subprocess.run([*CLIENT, "node", os.path.join(os.environ["SRC"], "bench/nodemailer_send.cjs"), str(port), str(n),
                        str(CONNECTIONS), *files], capture_output=True, text=True, check=True)
    r = json.loads(r.stdout)
    return Run(n / r["seconds"], r["cpu"] / n, 0, 0)


def median(runs):
    return Run(*(statistics.median(x) for x in zip(*runs)))


def round_trips():
    """Also the size of a mail, which the peers are given."""
    process, port = our_sink()
    drain(place("turns", port, N))
    c = counts(process)
    say(f"round trips: {c['turns'] / c['mails']:.3f} a mail of {c['bytes'] // c['mails']} bytes (at most 1.05); "
        f"{c['connections']} connections for {CONNECTIONS} sessions")
    process, port = our_sink(0, 0, "-k", "10")
    drain(place("picky", port, N))
    c = counts(process)
    say(f"every tenth recipient refused ({c['refused']} of {N}): {c['connections']} connections for {CONNECTIONS} sessions, "
        f"{c['turns'] / (c['mails'] + c['refused']):.3f} round trips a recipient")
    return c["bytes"] // c["mails"]


def to_sink(size, files):
    ours, theirs, peers = [], [], []
    for i in range(ROUNDS):
        process, port = postfix_sink()
        ours.append(drain(place(f"sink{i}", port, N)))
        theirs.append(source(port, N, size))
        peers.append(nodemailer(port, max(N // 10, 500), files))
        process.kill()
    us, them = median(ours), statistics.median(theirs)
    ratios = [o.rate / t for o, t in zip(ours, theirs)]
    say(f"{N} mails to smtp-sink, {CONNECTIONS} connections, all durable: {us.rate:.0f} a second, smtp-source {them:.0f}: "
        f"{statistics.median(ratios):.2f} times it ({min(ratios):.2f} to {max(ratios):.2f}; aim 1.2, floor 0.8)")
    say(f"CPU a mail, all in: {us.cpu * 1e6:.0f} us (aim 60)")
    if peers[0] is not None:
        peer = median(peers)
        ratios = [o.rate / p.rate for o, p in zip(ours, peers)]
        say(f"nodemailer's pool: {peer.rate:.0f} a second, {peer.cpu * 1e6:.0f} us of CPU a mail: we are "
            f"{statistics.median(ratios):.1f} times it (aim 15)")


def dots():
    """The bound is that of all connections: after the first third of the mails they are open."""
    for delay in (0.005, 0.02, 0.05):
        process, port = our_sink(delay)
        bound = CONNECTIONS / delay
        r = drain(place(f"dot{delay}", port, min(N, int(bound * (2 if QUICK else 6)))), skip=1 / 3)
        say(f"{delay * 1000:.0f} ms at the dot: {r.rate:.0f} a second of {bound:.0f}, {r.rate / bound * 100:.0f} % (at least 90)")
        process.kill()


def far(size):
    process, port = our_sink(0, 0.01)
    ours = drain(place("far", port, min(N, 6000)))
    theirs = source(port, min(N, 1000), size)
    say(f"10 ms of network each way: {ours.rate:.0f} a second, smtp-source {theirs:.0f}: {ours.rate / theirs:.1f} times it "
        "(at least 3)")
    process.kill()


POSTFIX = """\
mynetworks = 127.0.0.0/8
default_transport = discard:
smtpd_recipient_restrictions = permit_mynetworks, reject
"""


def real_postfix(size, files):
    """A Postfix of its own, which syncs every mail to its queue before it says so, and then drops it."""
    if os.getuid() != 0:
        say("a real Postfix starts as root only: left out")
        return
    import mailhouse
    folder, port = os.path.join(lib.scratch, "postfix"), lib.free_port()
    for part in ("conf", "queue", "data"):
        os.makedirs(f"{folder}/{part}")
    os.chmod(lib.scratch, 0o755)
    shutil.chown(f"{folder}/data", "postfix")
    with open(f"{folder}/conf/main.cf", "w") as f:
        f.write(mailhouse.BASE.format(dir=folder) + POSTFIX)
    with open(f"{folder}/conf/master.cf", "w") as f:
        f.write(mailhouse.MASTER.format(port=port))
    postfix = [shutil.which("postfix") or "/usr/sbin/postfix", "-c", f"{folder}/conf"]
    subprocess.run([*SINK, *postfix, "start"], check=True, capture_output=True)
    try:
        lib.wait("Postfix listens", lambda: connects(port), 20)
        n, ours, theirs, peers = min(N, 3000), [], [], []
        # -N: every recipient another, as in our mails; else Postfix looks up one address and remembers it
        source(port, n // 3, size, "-N")  # its processes start, for nobody's account
        for i in range(ROUNDS):
            ours.append(drain(place(f"postfix{i}", port, n)))
            theirs.append(source(port, n, size, "-N"))
            peers.append(nodemailer(port, n // 3, files))
        ratios = [o.rate / t for o, t in zip(ours, theirs)]
        say(f"{n} mails into a real Postfix: {median(ours).rate:.0f} a second, smtp-source {statistics.median(theirs):.0f}: "
            f"{statistics.median(ratios):.2f} times it ({min(ratios):.2f} to {max(ratios):.2f}; at least 0.9)")
        if peers[0] is not None:
            say(f"CPU a mail there: {median(ours).cpu * 1e6:.0f} us, nodemailer {median(peers).cpu * 1e6:.0f} us "
                f"(and {median(peers).rate:.0f} a second)")
    finally:
        subprocess.run([*postfix, "stop"], capture_output=True)


def rows_waiting():
    """What a mail costs, and what is resident, must not depend on how many rows wait."""
    for n in (1000, 20000) if QUICK else (1000, 20000, 200000):
        process, port = postfix_sink()
        r = drain(place(f"rows{n}", port, n))
        say(f"{n} rows waiting: {r.rate:.0f} a second, {r.cpu * 1e6:.0f} us of CPU a mail, "
            f"at most {r.peak / 1024:.1f} MiB resident (under 20), {r.anon / 1024:.1f} MiB of it not of files")
        process.kill()


def main():
    print(f"mails, {N} of them, {os.cpu_count()} cores:")
    try:
        delay_check()
        files = parts()
        size = round_trips()
        to_sink(size, files)
        dots()
        far(size)
        real_postfix(size, files)
        rows_waiting()
    finally:
        lib.end_children()
        shutil.rmtree(lib.scratch, ignore_errors=True)


main()
