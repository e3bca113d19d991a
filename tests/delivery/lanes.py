"""One dead destination of fifty changes the others' 99th percentile by less than 5 % (RELIABILITY.md 7: F34).

Couriers run at the same time, so that the machine treats them alike: one with fifty servers that are
well, the others with a fiftieth that is dead in some manner.  Half of the servers speak SMTP, half take
signed hooks over TLS; each takes 40 ms for a delivery.  The figure is the time from when a delivery
was due until its verdict, of the forty-nine.  A manner that seems to delay the others is measured
again, up to ROUNDS times.  ROUND_SECONDS: how long one round is; `make faults` takes 40, beyond the patience for a connection.
"""
import asyncio
import os
import socket
import ssl
import subprocess
import sys
import tempfile

SERVICE = 0.04
N = 50


class Smtp(asyncio.Protocol):
    """greeting: it says one; dot: it answers the end of a mail."""

    def __init__(self, greets=True, dot=True):
        self.greets, self.dot = greets, dot

    def connection_made(self, transport):
        self.t, self.buffer, self.text = transport, b"", False
        if self.greets:
            self.t.write(b"220 lane ESMTP\r\n")

    def data_received(self, data):
        self.buffer += data
        while self.greets:  # as long as it says anything at all
            if self.text:
                end = self.buffer.find(b"\r\n.\r\n")
                if end < 0:
                    return
                self.buffer, self.text = self.buffer[end + 5:], False
                if not self.dot:
                    self.greets = False  # nor anything else after it
                else:
                    asyncio.get_running_loop().call_later(SERVICE, self.t.write, b"250 2.0.0 taken\r\n")
                continue
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                return
            self.buffer = rest
            verb = line[:4].upper()
            self.text = verb == b"DATA"
            self.t.write(b"250-lane\r\n250-PIPELINING\r\n250 8BITMIME\r\n" if verb == b"EHLO" else
                         b"354 go\r\n" if self.text else b"250 2.0.0 ok\r\n")
            if verb == b"QUIT":
                self.t.close()


class Hook(asyncio.Protocol):
    def __init__(self, answer=b"HTTP/1.1 204 No Content\r\n\r\n"):
        self.answer = answer

    def connection_made(self, transport):
        self.t, self.buffer = transport, b""

    def data_received(self, data):
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(int(l.split(b":")[1]) for l in head.split(b"\r\n") if l.lower().startswith(b"content-length"))
        if len(rest) >= length:
            self.buffer = rest[length:]
            if self.answer:
                asyncio.get_running_loop().call_later(SERVICE, self.t.write, self.answer)


# how the fiftieth is dead: what it speaks, and by which server; a full queue and nobody have none
MANNERS = {
    "well": ("smtp", Smtp),
    "nobody listens": ("smtp", None),
    "full queue": ("hook", None),
    "no greeting": ("smtp", lambda: Smtp(greets=False)),
    "silent at the dot": ("smtp", lambda: Smtp(dot=False)),
    "no handshake": ("hook", asyncio.Protocol),
    "no answer": ("hook", lambda: Hook(b"")),
    "503 with Retry-After": ("hook", lambda: Hook(b"HTTP/1.1 503 Off\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")),
}


async def serve(manner, pki):
    """Fifty servers; their kinds and ports on stdout; until stdin ends."""
    loop = asyncio.get_running_loop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pki}/good.pem", f"{pki}/good.key")
    kept = []
    for i in range(N):
        kind, made = MANNERS[manner] if i == N - 1 else (("smtp", Smtp), ("hook", Hook))[i % 2]
        tls = context if kind == "hook" and manner + str(i) != f"no handshake{N - 1}" else None
        if made:
            server = await loop.create_server(made, "127.0.0.1", 0, ssl=tls, backlog=64)
            port = server.sockets[0].getsockname()[1]
        else:
            dead = socket.socket()
            dead.bind(("127.0.0.1", 0))
            port = dead.getsockname()[1]
            kept.append(dead)
            if manner == "full queue":
                dead.listen(0)
                for _ in range(3):
                    filler = socket.socket()
                    filler.setblocking(False)
                    filler.connect_ex(("127.0.0.1", port))
                    kept.append(filler)
        print(kind, "localhost" if kind == "hook" else "127.0.0.1", port)
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if sys.argv[1:]:
    asyncio.run(serve(*sys.argv[1:]))
    sys.exit()

import place as lib  # noqa: E402
from place import check  # noqa: E402

SECONDS = int(os.environ.get("ROUND_SECONDS", "4"))
ROUNDS = int(os.environ.get("ROUNDS", "7"))
DRIVER = os.path.join(os.environ["BUILD"], "lanes_driver")
pki = os.path.join(lib.scratch, "pki")
# other work on the machine must not count as a delay; without leave for that it is measured all the same
first = ["chrt", "-f", "5"] if subprocess.run(["chrt", "-f", "5", "true"], capture_output=True).returncode == 0 else []
# nor must another's disk: a commit is a commit in memory too
memory = tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
runs = 0


class Run:
    def __init__(self, manner):
        global runs
        runs += 1
        self.server = lib.run([*first, sys.executable, os.path.abspath(__file__), manner, pki], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.places = "".join(self.server.stdout.readline() for _ in range(N))
        self.state = os.path.join(memory.name, f"lanes{runs}")

    def start(self):
        self.driver = lib.run([*first, DRIVER, self.state, f"{pki}/ca.pem", str(SECONDS + 1), "4"],
                              text=True, stdin=subprocess.PIPE, stdout=open(self.state + ".out", "w"))
        self.driver.stdin.write(self.places)
        self.driver.stdin.close()

    def end(self, manner):
        """Microseconds of each delivery that one of the forty-nine took; without the first second, when it connects."""
        check(self.driver.wait() == 0, f"{manner}: the courier ends with {self.driver.returncode}")
        out = open(self.state + ".out").read().splitlines()
        self.server.stdin.close()
        self.server.wait()
        rows = [tuple(map(int, l.split())) for l in out if not l.startswith("stall")]
        late = [t for place, due, t in rows if place < N - 1 and due >= 1000000]
        check(len(late) == (N - 1) * SECONDS * 4, f"{manner}: {len(late)} came to the others")
        return late, sum(place == N - 1 for place, _, _ in rows), int(out[-1].split()[1])


def percentile(values, p):
    return sorted(values)[int(len(values) * p / 100)] / 1000


class Figures:
    """What was measured of a manner, and beside it of a courier whose servers are all well."""

    def __init__(self, manner):
        self.manner, self.well, self.dead, self.ratios, self.stall = manner, [], [], [], 0

    def add(self, well, dead, stall):
        self.well, self.dead, self.stall = self.well + well, self.dead + dead, max(stall, self.stall)
        self.ratios.append(percentile(dead, 99) / percentile(well, 99))

    def ratio(self):
        """Of all rounds together; or the middle one of the rounds, when one of them was disturbed."""
        return min(percentile(self.dead, 99) / percentile(self.well, 99), sorted(self.ratios)[len(self.ratios) // 2])

    def tell(self):
        ratio = self.ratio()
        print(f"{self.manner}: 99th percentile {percentile(self.well, 99):.1f} ms, with a dead one "
              f"{percentile(self.dead, 99):.1f} ms, ratio {ratio:.3f} in {len(self.ratios)} rounds; median "
              f"{percentile(self.well, 50):.1f} and {percentile(self.dead, 50):.1f} ms; {len(self.dead)} deliveries each, "
              f"longest pause {self.stall / 1000:.0f} ms")
        check(ratio < 1.05, f"{self.manner}: the others' 99th percentile changes by {100 * ratio - 100:.1f} %")


def measure(figures):
    """One round of some manners, all at the same time as one that is well."""
    runs = [Run(m) for m in ["well", *(f.manner for f in figures)]]
    for run in runs:
        run.start()
    well, came, _ = runs[0].end("well")
    check(came >= (SECONDS - 1) * 4, f"the fiftieth took {came} when it was well")
    for f, run in zip(figures, runs[1:]):
        dead, came, stall = run.end(f.manner)
        check(came == 0, f"{f.manner}: the fiftieth took {came} when it was dead")
        f.add(well, dead, stall)


def compare(manners):
    figures = [Figures(m) for m in manners]
    measure(figures)
    for f in figures:
        while f.ratio() >= 1.05 and len(f.ratios) < ROUNDS:
            measure([f])
        f.tell()


subprocess.run(["sh", os.path.join(os.environ["SRC"], "tests/smtp/certificates.sh"), pki], check=True)
dead = list(MANNERS)[1:]
for some in (dead[:4], dead[4:]):
    compare(some)
lib.finish("one dead destination of fifty")
