"""The network fails under the carriers: names (F36), TLS on the way (F38), a network that goes and comes back (F39).

The test has a network of its own: we at 10.9.0.1, the servers at 10.9.0.2 behind a cable (veth) that
is pulled, a firewall (nftables) that swallows or resets, and a name server that says what the first
label of a name tells it.  What came and what the carriers say is joined: delivered came once,
uncertain at most once, all else never.
OUTAGES=1, as in `make faults`: also the real daemon, which waits a minute before it tries again.
"""
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import warnings

from alone import alone

alone(__file__, "mount", "net")
import place as lib  # noqa: E402
from place import Place, Sink, check, join, stop, wait  # noqa: E402

OUTAGES = os.environ.get("OUTAGES", "")
BUILD = os.environ["BUILD"]
WE, THEY, MOVED = "10.9.0.1", "10.9.0.2", "10.9.0.9"
pki = os.path.join(lib.scratch, "pki")
BUSY, DOWN, REFUSED = 1, 2, 3


def do(*command):
    subprocess.run(command, check=True)


# ---- the network ----

there = lib.run(["unshare", "--net", "sleep", "600"])
wait("the servers' side is there", lambda: os.readlink(f"/proc/{there.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
THERE = ["nsenter", f"--net=/proc/{there.pid}/ns/net"]


def build_network():
    do("ip", "link", "set", "lo", "up")
    do("ip", "link", "add", "cable", "type", "veth", "peer", "name", "plug")
    do("ip", "link", "set", "plug", "netns", str(there.pid))
    do("ip", "address", "add", f"{WE}/24", "dev", "cable")
    do("ip", "link", "set", "cable", "up")
    do(*THERE, "ip", "address", "add", f"{THEY}/24", "dev", "plug")
    do(*THERE, "ip", "link", "set", "plug", "up")
    do("nft", "add table inet wall; add chain inet wall out { type filter hook output priority 0; }; "
       "add chain inet wall in { type filter hook input priority 0; }")
    with open(f"{lib.scratch}/resolv.conf", "w") as f:
        f.write("nameserver 127.0.0.1\noptions timeout:30 attempts:3\n")
    do("mount", "--bind", f"{lib.scratch}/resolv.conf", "/etc/resolv.conf")


def wall(*rules):
    do("nft", "; ".join(["flush table inet wall", *(f"add rule inet wall {r}" for r in rules)]))


class Names(threading.Thread):
    """The name server: what it answers stands in the name."""
    ADDRESSES = {"good": [THEY], "private": [THEY], "loop": ["127.0.0.1"], "metadata": ["169.254.169.254"],
                 "mapped": ["::ffff:" + THEY], "mixed": ["203.0.113.1", THEY], "nothing": []}

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.silent = False
        self.start()

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(2000)
            end = query.index(b"\0", 12)
            kind, wanted = query[13:13 + query[12]].decode(), struct.unpack("!H", query[end + 1:end + 3])[0]
            if kind == "silent" or self.silent:
                continue
            status = {"nobody": 3, "broken": 2}.get(kind, 0)
            found = [a for a in self.ADDRESSES.get(kind, []) if (":" in a) == (wanted == 28) and wanted in (1, 28)]
            answer = query[:2] + struct.pack("!HHHHH", 0x8180 | status, 1, len(found), 0, 0) + query[12:end + 5]
            for a in found:
                data = socket.inet_pton(socket.AF_INET6 if ":" in a else socket.AF_INET, a)
                answer += struct.pack("!HHHIH", 0xc00c, wanted, 1, 0, len(data)) + data
            self.socket.sendto(answer, peer)


class FarSink(Sink):
    """A sink on the other side of the cable."""
    def __init__(self, name, **options):
        super().__init__(name, host="0.0.0.0", **options)

    def start(self):
        args = [a for k, v in self.options.items() for a in (f"--{k.replace('_', '-')}", str(v))]
        self.process = lib.run([*THERE, "/usr/bin/python3", f"{lib.HERE}/sink.py", str(self.port), self.out, *args])

        def listens():
            with socket.socket() as s:
                return s.connect_ex((THEY, self.port)) == 0
        wait("the sink listens", listens, 10)

    def relay(self, host=THEY, **more):
        return super().relay(**more).replace("127.0.0.1", host)


# ---- the drivers ----

def mails(host, port, count=20, *options):
    return lib.run([f"{BUILD}/relay_driver", "--host", host, "--port", str(port), "--count", str(count), "--parallel", "4",
                    "--dot-wait", "4000", "--limit", "60", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def judge(what, driver, sink, count, want):
    """Join the fates with what came."""
    fates = {}
    for line in driver.communicate(timeout=90)[0].splitlines():
        row, fate = line.split()[:2]
        check(row not in fates, f"{what}: row {row} has two fates")
        fates[row] = fate
    came = {}
    for line in open(sink.out) if sink else ():
        row = re.match(r"r(\d+)@", json.loads(line)["recipient"]).group(1)
        came[row] = came.get(row, 0) + 1
    check(len(fates) == count, f"{what}: {len(fates)} fates")
    for row, fate in fates.items():
        most, least = {"delivered": (1, 1), "uncertain": (1, 0)}.get(fate, (0, 0))
        check(least <= came.get(row, 0) <= most, f"{what}: row {row} is {fate} and came {came.get(row, 0)} times")
    check(set(fates.values()) <= set(want.split()), f"{what}: {sorted(set(fates.values()))}")
    print(f"{what}:", {f: list(fates.values()).count(f) for f in sorted(set(fates.values()))})
    return fates


def hook(form, url, lines=1, inside=True):
    got = subprocess.run([f"{BUILD}/hook_driver", form, url, f"{pki}/ca.pem", "1", *(["inside"] if inside else [])],
                         input="".join(f"k{i} - {{}}\n" for i in range(lines)), capture_output=True, text=True, timeout=100,
                         env={**os.environ, "HOOK_SECRET": "s"})
    rows = [dict(zip(("row", "fate", "trouble", "code", "after", "receipt", "reason"), l.split(" ", 6)))
            for l in got.stdout.splitlines() if l[:1].isdigit()]
    check(len(rows) == lines, f"{form} {url}: {got.stdout} {got.stderr}")
    return rows


# ---- F36: names ----

def silent_names():
    """Thirty seconds are over and the name server still says nothing: who else waits?  Takes a while, so it runs beside the rest."""
    sink = Sink("silent-names")
    # beyond the 30 s of patience for a connection
    driver = lib.run([f"{BUILD}/lanes_driver", f"{lib.scratch}/silent-names", f"{pki}/ca.pem", "31", "4"], text=True,
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    driver.stdin.write(f"smtp 127.0.0.1 {sink.port}\nsmtp silent.zorg.example 25\nhook silent.zorg.example 443\n")
    driver.stdin.close()
    return sink, driver


def silent_names_judge(sink, driver):
    out = driver.stdout.read().splitlines()
    driver.wait()
    late = [int(l.split()[2]) for l in out[:-1]]
    stall = int(out[-1].split()[1])
    check(len(late) == 31 * 4 == sink.count(), f"a silent name server: {len(late)} of {31 * 4} came to the server beside it")
    check(stall < 5000000, f"a silent name server: everybody waited for {stall / 1e6:.1f} s")
    print(f"a silent name server: the longest pause of all others was {stall / 1000:.0f} ms")
    sink.end()


def names():
    sink = FarSink("names")
    judge("a name that is known", mails("good.zorg.example", sink.port), sink, 20, "delivered")
    for name in ("nobody", "broken", "nothing"):
        fates = mails(f"{name}.zorg.example", sink.port, 3)
        out = fates.communicate(timeout=60)[0]
        check(out.count(" back ") == 3 and "name is not known" in out, f"the name {name}: {out}")
    # a hook's name may not lead into the house: nothing connects
    seen = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pki}/good.pem", f"{pki}/good.key")
    listener = socket.create_server(("0.0.0.0", 0))
    port = listener.getsockname()[1]

    def listen():
        while True:
            seen.append(listener.accept())
    threading.Thread(target=listen, daemon=True).start()
    for name in ("private", "loop", "metadata", "mapped", "mixed"):
        row, = hook("slack", f"https://{name}.zorg.example:{port}/x", inside=False)
        check((row["fate"], int(row["trouble"])) == ("back", REFUSED) and "inside the house" in row["reason"], f"the name {name}: {row}")
    for name in ("nobody", "broken", "nothing"):
        row, = hook("slack", f"https://{name}.zorg.example:{port}/x")
        check((row["fate"], int(row["trouble"])) == ("back", DOWN) and "name is not known" in row["reason"], f"the name {name}: {row}")
    check(not seen, f"{len(seen)} connections into the house")
    sink.end()


# ---- F38: TLS on the way (certificates: smtp_servers.py, hooks.py) ----

class Tls(threading.Thread):
    """A server of hooks that ends at a step of the way.  steps: one for each connection, the last for all others."""

    def __init__(self, *steps):
        super().__init__(daemon=True)
        self.steps, self.requests = steps, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self.listener.getsockname()[1]}/x"
        self.start()

    def run(self):
        for n in range(1000):
            peer, _ = self.listener.accept()
            try:
                self.talk(peer, self.steps[min(n, len(self.steps) - 1)])
            except (OSError, ssl.SSLError):
                pass
            peer.close()

    def talk(self, peer, step):
        if step == "hello":
            peer.recv(1)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        name = "expired" if step == "expired" else "good"
        context.load_cert_chain(f"{pki}/{name}.pem", f"{pki}/{name}.key")
        if step == "old":
            warnings.simplefilter("ignore", DeprecationWarning)
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        s = context.wrap_socket(peer, server_side=True)
        if step == "handshake":
            return os.close(s.detach())  # no close_notify
        request = b""
        while b"\r\n\r\n{}" not in request:
            part = s.recv(65536)
            if not part:
                return
            request += part
        self.requests += 1
        if step == "request":
            return os.close(s.detach())
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        os.close(s.detach())


def tls():
    # step, form, fates, requests that the server has at least and at most
    for step, form, want, least, most in (
            ("hello", "slack", "back", 0, 0), ("old", "slack", "back", 0, 0), ("expired", "slack", "back", 0, 0),
            ("handshake", "slack", "back uncertain", 0, 0), ("handshake", "generic", "back again", 0, 0),
            ("request", "slack", "uncertain", 1, 1), ("request", "generic", "again", 1, 2),
            ("answer", "slack", "delivered", 1, 1)):
        server = Tls(step)
        row, = hook(form, server.url)
        check(row["fate"] in want.split() and least <= server.requests <= most, f"TLS, {step}, {form}: {row} after {server.requests} requests")
    # what was good a moment ago is looked at again on the next connection
    server = Tls("answer", "expired")
    first, second = hook("slack", server.url, 2)
    check((first["fate"], second["fate"], int(second["trouble"])) == ("delivered", "back", REFUSED) and "certificate" in second["reason"],
          f"TLS, expired meanwhile: {first} {second}")
    check(server.requests == 1, f"TLS, expired meanwhile: {server.requests} requests")


# ---- F39: the network goes and comes back ----

def outage(what, want, away, back, seconds=1.0, count=40, restart=False):
    """The network goes when a fourth has come."""
    sink = FarSink(re.sub(r"\W+", "-", what), dot_delay=0.05)
    driver = mails(THEY, sink.port, count)
    wait(f"{what}: a fourth has come", lambda: sink.count() >= count // 4, 20)
    away(sink.port)
    if restart:
        sink.end()
        sink.process = lib.run([*THERE, "/usr/bin/python3", f"{lib.HERE}/sink.py", str(sink.port), sink.out, "--host", "0.0.0.0"])
    time.sleep(seconds)
    back(sink.port)
    fates = judge(what, driver, sink, count, want)
    check(list(fates.values()).count("delivered") >= count // 4 - 4, f"{what}: what came before is delivered")
    sink.end()
    return fates


def outages():
    clear = lambda port: wall()  # noqa: E731
    fates = outage("a pulled cable, plugged in again", "delivered", lambda p: do("ip", "link", "set", "cable", "down"),
                   lambda p: do("ip", "link", "set", "cable", "up"))
    check(set(fates.values()) == {"delivered"}, "a second without a cable harms nothing")
    outage("packets are swallowed for a second", "delivered",
           lambda p: wall(f"out tcp dport {p} drop", f"in tcp sport {p} drop"), clear)
    outage("packets are swallowed for good", "delivered uncertain again back",
           lambda p: wall(f"out tcp dport {p} drop", f"in tcp sport {p} drop"), clear, 6)
    outage("answers are swallowed for good", "delivered uncertain again back", lambda p: wall(f"in tcp sport {p} drop"), clear, 6)
    outage("connections are reset", "delivered uncertain again back",
           lambda p: wall(f"out tcp dport {p} reject with tcp reset"), clear, 0.2)
    outage("the server starts again behind a dead connection", "delivered uncertain again back",
           lambda p: wall(f"out tcp dport {p} drop", f"in tcp sport {p} drop"), clear, 1, restart=True)

    def move(port):
        do("ip", "address", "del", f"{WE}/24", "dev", "cable")
        do("ip", "address", "add", f"{MOVED}/24", "dev", "cable")
    outage("we have another address", "delivered uncertain again back", move, lambda p: None, 0)
    do("ip", "address", "del", f"{MOVED}/24", "dev", "cable")
    do("ip", "address", "add", f"{WE}/24", "dev", "cable")


def daemons(server):
    """The real service: nothing lost, nothing twice, and all is settled a while after the network is back."""
    def drop(port):
        return [f"out tcp dport {port} drop", f"in tcp sport {port} drop"]

    def reset(port):
        return [f"out tcp dport {port} reject with tcp reset"]
    cases = [("swallowed", THEY, drop), ("reset", THEY, reset), ("nameless", "good.zorg.example", reset)]
    running = []
    for name, host, rule in cases:
        sink = FarSink(name, dot_delay=0.3)
        place = Place(80, sink.relay(host, connections=4, dot_wait=4), name)
        running.append((name, sink, place, place.start(), rule))
    for name, sink, _, _, _ in running:
        wait(f"{name}: a fourth has come", lambda: sink.count() >= 10, 30)
    wall(*(r for _, sink, _, _, rule in running for r in rule(sink.port)))
    server.silent = True
    for name, sink, place, _, _ in running:
        check(sink.count() < place.n, f"{name}: it was at work when the network went")
    time.sleep(8)
    wall()
    server.silent = False
    for name, sink, place, daemon, _ in running:
        wait(f"{name}: all is settled", place.settled, 180)
        check(stop(daemon) == 0, f"{name}: it ends as ever")
        join(place, sink, name)
        check(set(place.counts()) <= {"delivered", "uncertain"}, f"{name}: {place.counts()}")
        print(f"the service, {name}:", place.counts())
        sink.end()


do("sh", os.path.join(os.environ["SRC"], "tests/smtp/certificates.sh"), pki)
build_network()
server = Names()
beside = silent_names()
names()
tls()
outages()
silent_names_judge(*beside)
if OUTAGES:
    daemons(server)
lib.finish("the network")
