"""Chat hooks, also those that misbehave: what becomes of a delivery, and how often the server saw it."""
import base64
import email.utils
import hashlib
import hmac
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

import lib

DRIVER = os.path.join(os.environ["BUILD"], "hook_driver")
pki = os.path.join(lib.scratch, "pki")
NONE, BUSY, DOWN, REFUSED = range(4)


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=pki)


def leaf(name, names, *more):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
    with open(os.path.join(pki, "ext"), "w") as f:
        f.write(f"subjectAltName={names}\n")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-extfile", "ext", "-out", f"{name}.pem", *(more or ("-days", "2")))


def certificates():
    os.mkdir(pki)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem",
            "-addext", "basicConstraints=critical,CA:TRUE")
    leaf("good", "DNS:localhost,IP:127.0.0.1,IP:::1")
    leaf("other", "DNS:other.example")
    leaf("old", "DNS:localhost,IP:127.0.0.1", "-days", "0")


seen = []
lock = threading.Lock()


class Hook(http.server.BaseHTTPRequestHandler):
    """The first part of the path says how it answers: /STATUS, or a word below."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        kind = urllib.parse.urlparse(self.path).path.split("/")[1]
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        with lock:
            seen.append({"kind": kind, "method": self.command, "path": self.path, "peer": self.client_address[1],
                         "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body})
            nth = sum(r["kind"] == kind for r in seen)
        out, status, headers = b"ok", 200, {}
        for name, value in query.items():
            if name == "h":
                headers = dict(v.split(":", 1) for v in value)
            elif name == "b":
                out = value[0].encode()
        if kind.isdigit():
            status = int(kind)
        elif kind == "_matrix":
            out = b'{"event_id":"$e1"}'
        elif kind == "api":
            out = b'{"result":"success","msg":"","id":42}'
        elif kind == "slow":
            time.sleep(1)
        elif kind in ("hang", "hanghalf"):
            if kind == "hanghalf":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")
            time.sleep(40)
            return self.cut()
        elif kind == "cut":
            return self.cut()
        elif kind == "cutline":
            self.wfile.write(b"HTTP/1.1 2")
            return self.cut()
        elif kind == "cutbody":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok")
            return self.cut()
        elif kind == "cut500":
            self.wfile.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 100\r\n\r\nno")
            return self.cut()
        elif kind == "junk":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
            return self.cut()
        elif kind == "secondcut" and nth > 1:
            return self.cut()
        elif kind == "big":
            out = b"x" * 50_000_000
        elif kind == "endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                while True:
                    self.wfile.write(b"y" * 65536)
            except OSError:
                return self.cut()
        elif kind == "headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            try:
                for i in range(20000):
                    self.wfile.write(b"X-%d: " % i + b"z" * 1000 + b"\r\n")
            except OSError:
                pass
            return self.cut()
        elif kind == "early":
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0" if status == 204 else str(len(out)))
        self.end_headers()
        try:
            if status != 204:
                self.wfile.write(out)
        except OSError:
            pass

    def cut(self):
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    do_POST = do_PUT = do_GET = answer

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    accepted = 0

    def get_request(self):
        Server.accepted += 1
        return super().get_request()

    def handle_error(self, *args):
        pass


class Server6(Server):
    address_family = socket.AF_INET6


def server(certificate, kind=Server, address="127.0.0.1"):
    made = kind((address, 0), Hook)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(pki, f"{certificate}.pem"), os.path.join(pki, f"{certificate}.key"))
        made.socket = context.wrap_socket(made.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made.server_address[1]


def drive(form, url, lines=None, parallel=1, inside=True, ca="ca.pem", secret="", env=None):
    del seen[:]
    lines = lines or ["k1 - {}"]
    command = [DRIVER, form, url, os.path.join(pki, ca) if ca else "", str(parallel)] + (["inside"] if inside else [])
    got = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=200,
                         env={**os.environ, "HOOK_SECRET": secret, **(env or {})})
    lib.check(got.returncode == 0, f"{form} {url}: exit {got.returncode} {got.stderr[-300:]}")
    place = urllib.parse.urlparse(url)
    lib.check(place.path == "/" or len(place.path) < 6 or place.path not in got.stdout + got.stderr, f"{url}: the address stays secret")
    rows = []
    for line in got.stdout.splitlines():
        words = line.split(" ", 6)
        if words[0] == "most":
            drive.most = int(words[1])
            continue
        lib.check(words[0].isdigit(), f"{url}: {line}")
        if words[0].isdigit():
            rows.append(dict(zip(("row", "fate", "trouble", "code", "after", "receipt", "reason"), words)))
    lib.check(sorted(int(r["row"]) for r in rows) == list(range(len(lines))), f"{url}: each is told once: {got.stdout[-500:]}")
    drive.stderr = got.stderr
    return rows


def expect(what, row, fate, trouble, requests=None, reason=None, after=None):
    lib.check((row["fate"], int(row["trouble"])) == (fate, trouble), f"{what}: {row}")
    if requests is not None:
        lib.check(len(seen) == requests, f"{what}: the server saw {len(seen)} requests, not {requests}")
    if reason is not None:
        lib.check(reason in row["reason"], f"{what}: {row['reason']!r}")
    if after is not None:
        low, high = after if isinstance(after, tuple) else (after, after)
        lib.check(low <= int(row["after"]) / 1000 <= high, f"{what}: wait {row['after']} ms")


certificates()
port, plain, port6 = server("good"), server(None), server("good", Server6, "::1")
base = f"https://localhost:{port}"
later = email.utils.formatdate(time.time() + 90, usegmt=True)
gone_by = email.utils.formatdate(time.time() - 90, usegmt=True)
q = lambda **k: "?" + urllib.parse.urlencode([(n, v) for n, vs in k.items() for v in ([vs] if isinstance(vs, str) else vs)])

# format, path, fate, trouble, requests the server saw, part of the reason, seconds to wait
OUTCOMES = [
    ("slack", "/200", "delivered", NONE, 1, "shows it", None),
    ("slack", "/204", "delivered", NONE, 1, None, None),
    ("teams", "/202", "delivered", NONE, 1, "has taken it", None),
    ("slack", "/slow", "delivered", NONE, 1, None, None),
    ("slack", "/early", "delivered", NONE, 1, None, None),
    ("slack", "/429" + q(h="Retry-After:7"), "again", BUSY, 1, "too much", 7),
    ("slack", "/429" + q(h="Retry-After:" + later), "again", BUSY, 1, None, (60, 91)),
    ("slack", "/429" + q(h="Retry-After:" + gone_by), "again", BUSY, 1, None, 0),
    ("slack", "/429" + q(h="Retry-After:soon"), "again", BUSY, 1, None, 0),
    ("slack", "/429" + q(h="Retry-After:-5"), "again", BUSY, 1, None, 0),
    ("slack", "/429" + q(h="Retry-After:99999999999999999999999"), "again", BUSY, 1, None, (0, 86400)),
    ("slack", "/429", "again", BUSY, 1, None, 0),
    ("discord", "/429" + q(b='{"message":"limited","retry_after":1.5,"global":false}'), "again", BUSY, 1, None, 1.5),
    ("discord", "/429" + q(b='{"retry_after":"x"}'), "again", BUSY, 1, None, 0),
    ("discord", "/429" + q(b='{"retry_after":1e300}'), "again", BUSY, 1, None, 86400),
    ("discord", "/429" + q(b='{"retry_after":-1}', h="Retry-After:3"), "again", BUSY, 1, None, 3),
    ("discord", "/429" + q(b='[[[[{'), "again", BUSY, 1, None, 0),
    ("zulip", "/429" + q(b='{"result":"error","code":"RATE_LIMIT_HIT","msg":"slow","retry-after":28.7}'), "again", BUSY, 1, None, 28.7),
    ("slack", "/503" + q(h="Retry-After:30"), "again", BUSY, 1, "overloaded", 30),
    ("slack", "/500", "again", NONE, 1, "failed", None),
    ("slack", "/502", "again", DOWN, 1, None, None),
    ("slack", "/307" + q(h=f"Location:{base}/200"), "back", REFUSED, 1, "redirects are not followed", None),
    ("slack", "/301" + q(h="Location:http://127.0.0.1/"), "back", REFUSED, 1, "redirects", None),
    ("slack", "/400" + q(b="invalid_payload"), "ours", NONE, 1, "invalid_payload", None),
    ("slack", "/413", "ours", NONE, 1, "larger", None),
    ("slack", "/401", "back", REFUSED, 1, None, None),
    ("slack", "/403" + q(b="action_prohibited"), "back", REFUSED, 1, None, None),
    ("slack", "/404" + q(b="no_service"), "never", REFUSED, 1, "the hook is gone", None),
    ("slack", "/410", "never", REFUSED, 1, "the hook is gone", None),
    ("teams", "/400" + q(b='{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"x"}}'), "back", REFUSED, 1, "switched off", None),
    ("mattermost", "/400" + q(b='{"id":"web.incoming_webhook.user.app_error","message":"no user"}'), "never", NONE, 1, "no such person", None),
    ("mattermost", "/404" + q(b='{"id":"store.sql_user.app_error"}'), "never", NONE, 1, "no such person", None),
    ("rocketchat", "/200" + q(b='{"success":true}'), "delivered", NONE, 1, None, None),
    ("rocketchat", "/200" + q(b='{"success":false,"error":"invalid-channel"}'), "never", NONE, 1, "no such person", None),
    ("rocketchat", "/200" + q(b='{"success":false,"error":"new one"}'), "ours", NONE, 1, "did not take it", None),
    ("rocketchat", "/200" + q(b="<html>log in</html>"), "uncertain", NONE, 1, "does not say", None),
    ("zulip", "/400" + q(b='{"result":"error","code":"STREAM_DOES_NOT_EXIST","msg":"x"}'), "never", NONE, 1, "no such channel", None),
    ("zulip", "/200" + q(b='{"result":"error","code":"BAD_REQUEST","msg":"Invalid email"}'), "never", NONE, 1, "this person", None),
    ("zulip", "/401" + q(b='{"result":"error","code":"INVALID_API_KEY"}'), "back", REFUSED, 1, "login", None),
    # the answer was lost: who has a key tries again, who has none is in doubt
    ("slack", "/cut", "uncertain", DOWN, 1, None, None),
    ("slack", "/cutline", "uncertain", DOWN, 1, None, None),
    ("slack", "/junk", "uncertain", DOWN, 1, None, None),
    ("slack", "/headers", "delivered", NONE, 1, None, None),
    ("slack", "/cutbody", "delivered", NONE, 1, None, None),
    ("slack", "/cut500", "again", NONE, 1, None, None),
    ("rocketchat", "/cutbody", "uncertain", NONE, 1, None, None),
    ("generic", "/cut", "again", DOWN, 1, None, None),
    ("generic", "/junk", "again", DOWN, 1, None, None),
    # answers nobody reads to their end
    ("slack", "/big", "delivered", NONE, 1, None, None),
    ("slack", "/endless", "delivered", NONE, 1, None, None),
    ("rocketchat", "/big", "uncertain", NONE, 1, None, None),
]
for form, path, fate, trouble, requests, reason, after in OUTCOMES:
    start = time.monotonic()
    row, = drive(form, base + path, secret="whsec_c2VjcmV0" if form == "generic" else "bot:key")
    expect(f"{form} {path[:60]}", row, fate, trouble, requests, reason, after)
    lib.check(time.monotonic() - start < 10, f"{form} {path}: took {time.monotonic() - start:.1f} s")

# silence: 30 s, all at once so that the test is short
hanging = {}


def hang(form, path):
    command = [DRIVER, form, base + path, os.path.join(pki, "ca.pem"), "1", "inside"]
    hanging[form, path] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                           env={**os.environ, "HOOK_SECRET": "s"})
    hanging[form, path].stdin.write("k1 - {}\n")
    hanging[form, path].stdin.close()


began = time.monotonic()
del seen[:]
for form, path in (("slack", "/hang"), ("generic", "/hang"), ("slack", "/hanghalf")):
    hang(form, path)
while len(seen) < 3 and time.monotonic() - began < 10:
    time.sleep(0.01)
lib.check(len(seen) == 3, "three are waiting for an answer")

# nothing left: back at no cost, and the server saw nothing
unused = socket.socket()
unused.bind(("127.0.0.1", 0))
NOTHING_SENT = [
    ("nobody listens", f"https://localhost:{unused.getsockname()[1]}/x", {}, DOWN, "cannot be reached"),
    ("no such name", "https://no-such-host.invalid/x", {}, DOWN, "name is not known"),
    ("another's certificate", f"https://localhost:{server('other')}/200", {}, REFUSED, "certificate"),
    ("an old certificate", f"https://localhost:{server('old')}/200", {}, REFUSED, "certificate"),
    ("an unknown authority", base + "/200", {"ca": ""}, REFUSED, "certificate"),
    ("a server without TLS", f"https://localhost:{plain}/200", {}, DOWN, "encryption"),
    ("http", f"http://localhost:{plain}/200", {"inside": False}, REFUSED, "must begin with https://"),
    ("a file", "file:///etc/passwd", {}, REFUSED, "must begin with https://"),
    ("gopher", f"gopher://localhost:{plain}/x", {}, REFUSED, "must begin with https://"),
    ("no address", "", {}, REFUSED, None),
    ("an address of two lines", base + "/200\r\nX: y", {}, REFUSED, None),
    ("loopback without leave", f"https://127.0.0.1:{port}/200", {"inside": False}, REFUSED, "inside the house"),
    ("a name that is loopback", base + "/200", {"inside": False}, REFUSED, "inside the house"),
    ("mapped", f"https://[::ffff:127.0.0.1]:{port}/200", {"inside": False}, REFUSED, "inside the house"),
    ("IPv6 loopback", f"https://[::1]:{port6}/200", {"inside": False}, REFUSED, "inside the house"),
    ("a number for an address", f"https://2130706433:{port}/200", {"inside": False}, REFUSED, "inside the house"),
    ("nought", f"https://0.0.0.0:{port}/200", {"inside": False}, REFUSED, "inside the house"),
    ("metadata of a cloud", "https://169.254.169.254/latest", {"inside": False}, REFUSED, "inside the house"),
]
for what, url, more, trouble, reason in NOTHING_SENT:
    row, = drive("slack", url, **more)
    expect(what, row, "back", trouble, 0, reason)
row, = drive("slack", f"http://localhost:{plain}/200")
expect("http inside the house, with leave", row, "delivered", NONE, 1)
row, = drive("slack", f"https://[::1]:{port6}/200")
expect("IPv6", row, "delivered", NONE, 1)
proxies = {"https_proxy": f"http://127.0.0.1:{plain}", "ALL_PROXY": f"http://127.0.0.1:{plain}", "NO_PROXY": ""}
row, = drive("slack", base + "/200", env=proxies)
expect("a proxy of the environment", row, "delivered", NONE, 1)
lib.check(seen[0]["method"] == "POST", "not through the proxy")
row, = drive("slack", base + "/200", ["k1 - STOP"])
expect("stopped before it left", row, "back", NONE, 0, "stopped")

# closed under way: what may have arrived is in doubt, what can be repeated goes back
for form, fate in (("slack", "uncertain"), ("generic", "back")):
    got = subprocess.run([DRIVER, form, base + "/hang", os.path.join(pki, "ca.pem"), "2", "inside"],
                         input="k1 - {}\nk2 - CLOSE\n", capture_output=True, text=True, env={**os.environ, "HOOK_SECRET": "s"})
    fates = [l.split()[1] for l in got.stdout.splitlines() if not l.startswith("most")]
    lib.check(fates == [fate, fate], f"{form} closed under way: {got.stdout}")

# one connection for all, and no more at once than is allowed
Server.accepted = 0
rows = drive("slack", base + "/200", [f"k{i} - {{}}" for i in range(50)])
lib.check(all(r["fate"] == "delivered" for r in rows) and len(seen) == 50, "fifty, one after the other")
lib.check(len({r["peer"] for r in seen}) == 1 and Server.accepted == 1, f"over one connection, not {Server.accepted}")
Server.accepted = 0
rows = drive("slack", base + "/200", [f"k{i} - {{}}" for i in range(200)], parallel=8)
lib.check(all(r["fate"] == "delivered" for r in rows) and len(seen) == 200, "two hundred by eight")
lib.check(1 < Server.accepted <= 8 and drive.most <= 8, f"{Server.accepted} connections, {drive.most} at once")
# libcurl would send a request again by itself when a reused connection ends without an answer
rows = drive("slack", base + "/secondcut", ["k1 - {}", "k2 - {}"])
expect("a reused connection ends", rows[1], "uncertain", DOWN, 2)
rows = drive("generic", base + "/secondcut", ["k1 - {}", "k2 - {}"], secret="s")
lib.check(rows[1]["fate"] == "again" and {r["headers"]["webhook-id"] for r in seen[1:]} == {"k2"}, f"with a key it may: {rows}")

# ---- how it is asked, by format ----
body = '{"text":"x \\u00e9"}'
row, = drive("slack", base + "/200", [f"k1 - {body}"])
lib.check(seen[0]["body"].decode() == body and seen[0]["headers"]["content-type"] == "application/json", f"slack: {seen}")
lib.check("expect" not in seen[0]["headers"] and "authorization" not in seen[0]["headers"], "slack: headers")
row, = drive("discord", base + "/200" + q(b='{"id":"77"}'))
lib.check(seen[0]["path"].endswith("&wait=true") and row["receipt"] == "77", f"discord: {seen[0]['path']} {row}")
row, = drive("discord", base + "/200")
lib.check(seen[0]["path"] == "/200?wait=true", f"discord: {seen[0]['path']}")
row, = drive("matrix", base + "/", ["a/b!1 !room:zorg.example {}"], secret="tok\n")
expect("matrix", row, "delivered", NONE, 1)
lib.check((seen[0]["method"], seen[0]["path"]) ==
          ("PUT", "/_matrix/client/v3/rooms/%21room%3Azorg.example/send/m.room.message/a%2Fb%211"), f"matrix: {seen[0]}")
lib.check(seen[0]["headers"]["authorization"] == "Bearer tok" and row["receipt"] == "$e1", f"matrix: {seen[0]} {row}")
row, = drive("matrix", base + "/429/{key}" + q(b='{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2500}'), secret="t")
expect("matrix limits", row, "again", BUSY, 1, None, 2.5)
row, = drive("matrix", base + "/403/{key}" + q(b='{"errcode":"M_FORBIDDEN"}'), secret="t")
expect("matrix, not in the room", row, "never", NONE, 1)
row, = drive("matrix", base + "/some/path", secret="t")
expect("matrix without a key in its address", row, "back", REFUSED, 0)
row, = drive("zulip", base, ["k1 - type=direct&to=%5B1%5D&content=x"], secret="bot@zorg.example:k3y")
expect("zulip", row, "delivered", NONE, 1)
lib.check(seen[0]["path"] == "/api/v1/messages" and row["receipt"] == "42", f"zulip: {seen[0]} {row}")
lib.check(seen[0]["headers"]["content-type"] == "application/x-www-form-urlencoded", "zulip: a form")
lib.check(base64.b64decode(seen[0]["headers"]["authorization"].split()[1]) == b"bot@zorg.example:k3y", "zulip: login")
row, = drive("ntfy", base + "/200", secret="tk_1")
lib.check(seen[0]["headers"]["authorization"] == "Bearer tk_1", "ntfy: token")
key = b"a signing key"
for secret in ("whsec_" + base64.b64encode(key).decode(), key.decode()):
    row, = drive("generic", base + "/200", ["msg_1 - " + body], secret=secret + "\n")
    h = seen[0]["headers"]
    text = f"{h['webhook-id']}.{h['webhook-timestamp']}.".encode() + seen[0]["body"]
    want = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    lib.check(h["webhook-id"] == "msg_1" and abs(int(h["webhook-timestamp"]) - time.time()) < 60, f"generic: {h}")
    lib.check(hmac.compare_digest(h["webhook-signature"], want), f"generic: {h['webhook-signature']} is not {want}")
for what, secret in (("no key", ""), ("a broken key", "whsec_*")):
    row, = drive("generic", base + "/200", secret=secret)
    expect(what, row, "back", REFUSED, 0, "cannot be used")
row, = drive("matrix", base, ["k !r:x {}"], secret="a\r\nX-Evil: 1")
expect("a token of two lines", row, "back", REFUSED, 0)

# ---- a server's words are shown without the secret ----
row, = drive("slack", base + "/400/T0SECRET99" + q(b="no hook T0SECRET99 at jan@zorg.example"))
lib.check("SECRET" not in row["reason"], f"the address is not repeated: {row}")
row, = drive("slack", base + "/400" + q(b="bad\r\n\x1b[31m jan@zorg.example"))
lib.check("jan@" not in row["reason"] and "\x1b" not in row["reason"] and "bad" in row["reason"], f"{row}")

# ---- nginx with TLS in front ----
nginx = shutil.which("nginx") or "/usr/sbin/nginx"
front = os.path.join(lib.scratch, "nginx")
os.mkdir(front)
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    tls = s.getsockname()[1]
temp = "".join(f"{t}_temp_path {front}/{t}; " for t in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
with open(f"{front}/nginx.conf", "w") as f:
    f.write(f"""daemon off; master_process off; pid {front}/pid; error_log {front}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off; {temp}
server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate {pki}/good.pem; ssl_certificate_key {pki}/good.key;
location / {{ proxy_pass http://127.0.0.1:{plain}; }} location /off {{ return 503; }} }} }}
""")
running = subprocess.Popen([nginx, "-e", f"{front}/error.log", "-c", f"{front}/nginx.conf"])
for _ in range(100):
    try:
        socket.create_connection(("127.0.0.1", tls), 1).close()
        break
    except OSError:
        if running.poll() is not None:
            sys.exit("nginx did not start: " + open(f"{front}/error.log").read()[-1000:])
        time.sleep(0.05)
rows = drive("slack", f"https://localhost:{tls}/200", [f"k{i} - {{}}" for i in range(30)], parallel=4)
lib.check(all(r["fate"] == "delivered" for r in rows) and len(seen) == 30, "thirty through nginx")
row, = drive("slack", f"https://localhost:{tls}/off")
expect("nginx says 503", row, "again", BUSY, 0)
row, = drive("slack", f"https://localhost:{tls}/cut")
expect("what stands behind nginx is cut", row, "again", DOWN)
running.terminate()
running.wait()

for (form, path), process in hanging.items():
    out = process.stdout.read()
    process.wait()
    want = {("slack", "/hang"): "uncertain", ("generic", "/hang"): "again", ("slack", "/hanghalf"): "delivered"}[form, path]
    lib.check(out.split()[1:2] == [want], f"{form} {path} is silent: {out}")
lib.check(28 < time.monotonic() - began < 60, "after thirty seconds")
lib.finish("hooks")
