"""Servers that break HTTP on purpose, byte by byte, and connections that end while nothing is asked."""
import itertools
import os
import socket
import ssl
import struct
import subprocess
import threading
import time

import lib

DRIVER = os.path.join(os.environ["BUILD"], "hook_driver")
NONE, BUSY, DOWN, REFUSED = range(4)
OK = b"HTTP/1.1 200 OK\r\n"
GOOD = OK + b"Content-Length: 2\r\n\r\nok"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Peer:
    """A server that does the same with each connection: bytes to send, and words."""

    def __init__(self, *script, tls=None):
        self.script, self.tls = script, tls
        self.connections = self.requests = 0
        self.heads, self.ended = [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def request(self, c):
        data = b""
        while b"\r\n\r\n" not in data:
            more = c.recv(65536)
            if not more:
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += c.recv(65536)
        self.heads.append(head.decode())
        self.requests += 1
        return True

    def serve(self, c):
        start = time.monotonic()
        try:
            if self.tls:
                c = self.tls.wrap_socket(c, server_side=True)
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for act in self.script:
                if isinstance(act, bytes):
                    c.sendall(act)
                elif isinstance(act, (int, float)):
                    time.sleep(act)
                elif act == "request":
                    if not self.request(c):
                        break
                elif act == "part":
                    c.recv(20)
                elif act == "again":
                    while self.request(c):
                        c.sendall(self.answer)
                    break
                elif act == "close":
                    break
                elif act == "reset":
                    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                elif callable(act):
                    act(c)
            else:
                while c.recv(65536):
                    pass
            self.ended.append(time.monotonic() - start)
            c.close()
        except OSError:
            pass

    answer = GOOD

    def done(self):
        self.listener.close()


def drive(form, peer, lines=1, *more, url=None, parallel=1, tls=""):
    scheme = "https" if tls else "http"
    got = subprocess.run([DRIVER, form, url or f"{scheme}://127.0.0.1:{peer.port}/secret-part", tls, str(parallel), "inside", *more],
                         input="".join(f"k{i} - {{}}\n" for i in range(lines)), capture_output=True, text=True,
                         timeout=100, env={**os.environ, "HOOK_SECRET": "s"})
    lib.check(got.returncode == 0 and "secret-part" not in got.stdout + got.stderr, f"{form}: {got}")
    rows = [l.split(" ", 6) for l in got.stdout.splitlines() if not l.startswith("most")]
    lib.check(sorted(int(r[0]) for r in rows) == list(range(lines)), f"each is told once: {got.stdout[-400:]}")
    return rows


def endless(what, head=b""):
    def flood(c):
        c.sendall(head)
        while True:
            c.sendall(what)
    return flood


def slowly(data):
    return lambda c: [c.sendall(data[i:i + 1]) or time.sleep(0.002) for i in range(len(data))]


def at_once(data):
    """The answer and the end in one segment."""
    def act(c):
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
    return act


# what, script, fate and trouble of a format without a key (Slack), of one with (generic)
MAY_HAVE = ("uncertain", DOWN), ("again", DOWN)
TAKEN = ("delivered", NONE), ("delivered", NONE)
NOT_BEGUN = ("back", DOWN), ("back", DOWN)
R = "request"
HOSTILE = [
    ("a field without a colon", [R, OK + b"nonsense\r\n" + GOOD], TAKEN),
    ("a folded field", [R, OK + b"X: a\r\n b\r\n\r\n"], TAKEN),
    ("a giant field", [R, endless(b"z" * 65536, OK + b"X: ")], TAKEN),
    ("a giant status", [R, endless(b"z" * 65536, b"HTTP/1.1 200 ")], MAY_HAVE),
    ("fields without end", [R, endless(b"X: y\r\n" * 1000, OK)], TAKEN),
    ("interim answers without end", [R, endless(b"HTTP/1.1 100 Continue\r\n\r\n")], MAY_HAVE),
    ("interim fields without end", [R, endless(b"X: y\r\n" * 1000, b"HTTP/1.1 103 x\r\n")], MAY_HAVE),
    ("another protocol", [R, b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", b"\x00" * 100], MAY_HAVE),
    ("interim answers, then one", [R, b"HTTP/1.1 102 Wait\r\n\r\n" * 3, 0.05, GOOD], TAKEN),
    ("a chunk's size overflows", [R, CHUNKED + b"FFFFFFFFFFFFFFFFF\r\nok\r\n0\r\n\r\n"], TAKEN),
    ("a chunk's size is negative", [R, CHUNKED + b"-2\r\nok\r\n0\r\n\r\n"], TAKEN),
    ("a chunk as large as can be", [R, endless(b"x" * 65536, CHUNKED + b"7FFFFFFFFFFFFFF\r\n")], TAKEN),
    ("a chunk's extension without end", [R, endless(b"x" * 65536, CHUNKED + b"1;")], TAKEN),
    ("small chunks without end", [R, endless(b"1\r\nx\r\n" * 1000, CHUNKED)], TAKEN),
    ("trailers without end", [R, endless(b"X: y\r\n" * 1000, CHUNKED + b"0\r\n")], TAKEN),
    ("a negative length", [R, OK + b"Content-Length: -1\r\n\r\nok"], TAKEN),
    ("two lengths", [R, OK + b"Content-Length: 2\r\nContent-Length: 4\r\n\r\nok"], TAKEN),
    ("a length too large", [R, OK + b"Content-Length: 99999999999999999999999\r\n\r\nok"], TAKEN),
    ("length and chunks", [R, OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"], TAKEN),
    ("bytes after the answer", [R, GOOD + b"HTTP/1.1 500 Oh\r\n\r\n"], TAKEN),
    ("byte by byte", [R, slowly(GOOD)], TAKEN),
    ("chunks byte by byte", [R, slowly(CHUNKED + b"2\r\nok\r\n0\r\nX: y\r\n\r\n")], TAKEN),
    ("a refusal byte by byte", [R, slowly(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")], (("again", BUSY),) * 2),
    ("a body without end", [R, endless(b"y" * 65536, OK + b"\r\n")], TAKEN),
    ("packed though not asked", [R, OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"], TAKEN),
    ("HTTP/0.9", [R, b"<html>ok</html>", "close"], MAY_HAVE),
    ("HTTP/0.9 without end", [R, endless(b"<html>ok</html>")], MAY_HAVE),
    ("HTTP/2", [R, b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00\x03\x00\x00\x00\x64" * 3, "close"], MAY_HAVE),
    ("a preface of HTTP/2", [R, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], MAY_HAVE),
    ("TLS to a plain client", [R, b"\x15\x03\x01\x00\x02\x02\x46", "close"], MAY_HAVE),
    ("NUL bytes", [R, b"\x00" * 100000], MAY_HAVE),
    ("a reset", [R, "reset"], MAY_HAVE),
    ("a reset behind the answer", [R, GOOD, 0.05, "reset"], TAKEN),
    ("closed in the middle of the request", ["part", "close"], MAY_HAVE),
    ("a refusal in the middle of the request", ["part", b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n", "close"],
     (("ours", NONE),) * 2),
    ("closed at once", ["close"], None),
    ("a greeting before the request", [b"220 mx.example ESMTP\r\n"], None),
]
for (what, script, want), (form, which) in itertools.product(HOSTILE, (("slack", 0), ("generic", 1))):
    peer, start = Peer(*script), time.monotonic()
    (row,) = drive(form, peer)
    fate, trouble = row[1], int(row[2])
    if want is None:  # it depends on whether we saw it before we asked: taken it is in no case
        lib.check((fate, trouble) in (NOT_BEGUN[which], MAY_HAVE[which]), f"{what}, {form}: {row}")
    else:
        lib.check((fate, trouble) == want[which], f"{what}, {form}: {row}")
    lib.check(peer.connections == 1 and peer.requests <= 1, f"{what}, {form}: {peer.connections} connections, {peer.requests} requests")
    lib.check(time.monotonic() - start < 5, f"{what}, {form}: {time.monotonic() - start:.1f} s")
    peer.done()

# closed after each byte of an answer: in doubt until the line of the status is whole, then it counts
for answer in (GOOD, CHUNKED + b"2\r\nok\r\n0\r\n\r\n"):
    for at in range(len(answer) + 1):
        peer = Peer(R, answer[:at], "close")
        (row,) = drive("slack", peer)
        lib.check(row[1] == ("delivered" if at >= len(OK) else "uncertain"), f"closed after {at} bytes: {row}")
        peer.done()
body = b'{"success":true}'
for at in range(len(body) + 1):  # who says in the answer whether it went well must have said it whole
    peer = Peer(R, OK + b"Content-Length: %d\r\n\r\n" % len(body) + body[:at], "close")
    (row,) = drive("rocketchat", peer)
    lib.check(row[1] == ("delivered" if at == len(body) else "uncertain"), f"closed after {at} bytes of it: {row}")
    peer.done()
for double in (b'{"success":false,"success":true}', b'{"success":true}{"success":false}'):
    peer = Peer(R, OK + b"Content-Length: %d\r\n\r\n" % len(double) + double)
    (row,) = drive("rocketchat", peer)
    lib.check(row[1] == "uncertain", f"said twice: {row}")
    peer.done()

# a connection that ends while nothing is asked costs no doubt, only another connection
for what, script in (("closed after the answer", [R, GOOD, 0.05, "close"]), ("closed with it", [R, at_once(GOOD)]),
                     ("closed as it says", [R, OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", "close"]),
                     ("reset", [R, GOOD, 0.05, "reset"]),
                     ("408 and closed", [R, GOOD, 0.05, b"HTTP/1.1 408 Idle\r\nContent-Length: 0\r\n\r\n", "close"]),
                     ("an answer before the question", [R, GOOD, 0.05, GOOD, 30]),
                     ("spoke unasked", [R, GOOD, 0.05, b"x", 30])):
    peer = Peer(*script)
    rows = drive("slack", peer, 3, "EVERY:400")
    lib.check(all(r[1] == "delivered" for r in rows), f"{what}: {rows}")
    lib.check(peer.connections == peer.requests == 3, f"{what}: {peer.connections} connections, {peer.requests} requests")
    peer.done()
for what, script in (("closed with it", [R, at_once(GOOD)]),
                     ("bytes after it", [R, GOOD + b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 30])):
    peer = Peer(*script)
    rows = drive("slack", peer, 20)  # without a pause between
    lib.check(all(r[1] == "delivered" for r in rows), f"{what}, at once: {rows}")
    lib.check(peer.connections == peer.requests == 20, f"{what}, at once: {peer.connections} connections")
    peer.done()

# once it was asked, a reused connection is a doubt like any other; nothing is repeated by itself
peer = Peer(R, GOOD, R, "close")
rows = drive("slack", peer, 2)
lib.check([r[1] for r in rows] == ["delivered", "uncertain"] and peer.requests == 2, f"closed after the question: {rows}")
peer.done()

# how long an idle one is used: as it says, halved, and never longer than four seconds
for said, every, connections in ((b"", 200, 1), (b"Keep-Alive: timeout=1\r\n", 700, 3), (b"Keep-Alive: timeout=60\r\n", 200, 1),
                                 (b"", 4500, 2)):
    peer = Peer("again")
    peer.answer = OK + said + b"Content-Length: 2\r\n\r\nok"
    rows = drive("slack", peer, 2 if every > 4000 else 3, f"EVERY:{every}")
    lib.check(all(r[1] == "delivered" for r in rows), f"{said} {every}: {rows}")
    lib.check(peer.connections == connections, f"{said}, every {every} ms: {peer.connections} connections")
    lib.check(every < 4500 or 3.5 < peer.ended[0] < 7, f"an idle connection lives {peer.ended} s")
    peer.done()

# the address changes while the service runs: the next goes to the new host
old, new = Peer("again"), Peer("again")
place = os.path.join(lib.scratch, "url")


def write(port):
    with open(place + ".new", "w") as f:
        f.write(f"http://127.0.0.1:{port}/x\n")
    os.rename(place + ".new", place)


write(old.port)
threading.Timer(1.0, write, (new.port,)).start()
rows = drive("slack", old, 10, "EVERY:400", url="@" + place)
lib.check(all(r[1] == "delivered" for r in rows), f"the address changes: {rows}")
lib.check(old.requests >= 2 and new.requests >= 2 and old.requests + new.requests == 10, f"{old.requests} and {new.requests}")
lib.check(old.connections == new.connections == 1 and f"Host: 127.0.0.1:{new.port}" in new.heads[0], "one connection each")

# a login in the address
peer = Peer("again")
drive("slack", peer, url=f"http://jan:p%40ss@127.0.0.1:{peer.port}/x#part")
lib.check("\r\nAuthorization: Basic amFuOnBAc3M=" in peer.heads[0] and peer.heads[0].startswith("POST /x HTTP/1.1\r\n"), peer.heads[0])
peer.done()

# ---- the same over TLS, where bytes wait in other places ----
subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{lib.scratch}/key", "-out",
                f"{lib.scratch}/pem"], check=True, capture_output=True)
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(f"{lib.scratch}/pem", f"{lib.scratch}/key")
    long = b"x" * 50000
    for what, script, lines, connections in (
            ("kept", ["again"], 50, 1),
            ("byte by byte", [R, slowly(GOOD)], 1, 1),
            ("many records", [R, OK + b"Content-Length: 50000\r\n\r\n" + long, "again"], 3, 1),
            ("closed as it says", [R, OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", "close"], 5, 5),
            ("bytes after it", [R, GOOD + b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", 30], 5, 5),
            ("a body without end", [R, endless(b"y" * 65536, OK + b"\r\n")], 2, 2)):
        peer = Peer(*script, tls=context)
        rows = drive("slack", peer, lines, tls=f"{lib.scratch}/pem")
        lib.check(all(r[1] == "delivered" for r in rows), f"{version.name} {what}: {rows}")
        lib.check(peer.connections == connections and peer.requests == lines, f"{version.name} {what}: {peer.connections} connections")
        peer.done()
    peer = Peer(R, GOOD, 0.05, "close", tls=context)
    rows = drive("slack", peer, 3, "EVERY:400", tls=f"{lib.scratch}/pem")
    lib.check(all(r[1] == "delivered" for r in rows) and peer.connections == 3, f"{version.name}, closed while idle: {rows}")
    peer.done()
    for script, fate in (([R, "close"], "uncertain"), ([R, "reset"], "uncertain"), ([R, OK, "close"], "delivered")):
        peer = Peer(*script, tls=context)
        (row,) = drive("slack", peer, tls=f"{lib.scratch}/pem")
        lib.check(row[1] == fate, f"{version.name} {script}: {row}")
        peer.done()
lib.finish("hostile hooks")
