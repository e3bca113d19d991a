"""A mail server behind OAuth 2.0: the access token is fetched, kept, fetched anew; its secrets are shown nowhere."""
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import place as lib
from place import Place, check, stop, wait

sys.path.insert(0, os.path.join(os.environ["SRC"], "tests/smtp"))
import servers  # noqa: E402

PKI = os.path.join(lib.scratch, "pki")
SECRETS = os.path.join(lib.scratch, "secrets")
CLIENT_SECRET = "cl%ient+sec=ret&"
subprocess.run(["sh", os.path.join(os.environ["SRC"], "tests/smtp/certificates.sh"), PKI], check=True)


class Mails:
    """What the mail server took."""

    def __init__(self):
        self.wrong, self.recipients = [], []

    def store(self, session, text):
        self.recipients.append(session.recipient)


class Tokens(ThreadingHTTPServer):
    """The token endpoint: a script of answers, then tokens of its own making."""

    def __init__(self, certificate="good"):
        super().__init__(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{PKI}/{certificate}.pem", f"{PKI}/{certificate}.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.port = self.server_address[1]
        self.asked, self.script, self.good, self.life, self.rotate, self.wait = [], [], set(), 3600, False, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def token(self):
        n = len(self.asked)
        token = f"access-{n}.~+/="
        self.good = {token}
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": self.life}
        if self.rotate:
            answer["refresh_token"] = f"refresh-{n}"
        return 200, json.dumps(answer)


class Answer(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_POST(self):
        s = self.server
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        time.sleep(s.wait)
        s.asked.append(dict(urllib.parse.parse_qsl(body, strict_parsing=True)))
        check(self.headers["Content-Type"] == "application/x-www-form-urlencoded", "the request is a form")
        status, answer = s.script.pop(0) if s.script else s.token()
        answer = answer.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        try:
            self.wfile.write(answer)
        except OSError:
            pass


def secret(name, value):
    os.makedirs(SECRETS, exist_ok=True)
    with open(f"{SECRETS}/{name}", "w") as f:
        f.write(value + "\n")
    os.chmod(f"{SECRETS}/{name}", 0o600)


secret("client", CLIENT_SECRET)
secret("refresh", "refresh-0")


def plain(session, verb, argument, default):
    if verb == "dot":
        time.sleep(0.1)  # so that one connection is not enough
    return default


class World:
    def __init__(self, name, n, token="client_secret: client, refresh: refresh, scope: 'mail send'", certificate="good", channels="email: smtp", rules="email: 1"):
        self.tokens, self.mails = Tokens(certificate), Mails()
        self.server = servers.Server(self.mails, plain, tls="starttls", certificate=f"{PKI}/good", login=True)
        self.server.bearer = lambda given: given in self.tokens.good
        self.place = Place(n, f"secrets: {SECRETS}\nchannels: {{ {channels} }}\nrelays:\n"
                           f"  - {{ host: localhost, port: {self.server.port}, login: xoauth2, user: nudge, ca: {PKI}/ca.pem, connections: 3,\n"
                           f"      token: {{ url: 'https://localhost:{self.tokens.port}/token', client: our-id, ca: {PKI}/ca.pem, {token} }} }}\n",
                           name, channels=rules)

    def all_come(self, what):
        p = self.place
        wait(f"{what}: all is settled", lambda: p.settled(), 60)
        check(p.counts() == {"delivered": p.n}, f"{what}: {p.counts()}")
        check(len(self.mails.recipients) == p.n and not self.mails.wrong, f"{what}: each came once: {len(self.mails.recipients)}")

    def silent(self, what):
        """No secret in the log, the queue or the database."""
        said = self.place.said() + self.place.nudge("queue").stdout.decode() + self.place.nudge("status").stdout.decode()
        said += open(f"{self.place.state}/nudged.db", "rb").read().decode("latin-1")
        for word in ("access-", "refresh-0", "refresh-1", CLIENT_SECRET):
            check(word not in said, f"{what}: {word} is shown nowhere")

    def end(self):
        self.server.close()
        self.tokens.shutdown()
        self.tokens.server_close()


# one token for all connections
w = World("kept", 12)
daemon = w.place.start()
w.all_come("a refresh token")
check(w.tokens.asked == [{"grant_type": "refresh_token", "refresh_token": "refresh-0", "client_id": "our-id",
                          "client_secret": CLIENT_SECRET, "scope": "mail send"}], f"asked once, as RFC 6749 says: {w.tokens.asked}")
check(stop(daemon) == 0, "it ends well")
w.end()

# ended before its time: each connection is refused once, one new token, no circuit opens
w = World("ended", 12)
logins = []


def ends(given):
    """Whoever comes with the first token after the first connection is refused."""
    logins.append(given)
    return given in w.tokens.good and (given != "access-1.~+/=" or len(logins) == 1)


w.server.bearer = ends
daemon = w.place.start()
w.all_come("a token that ended")
check(len(w.tokens.asked) == 2 and len(logins) >= 3, f"a second token is fetched: {len(w.tokens.asked)} for {len(logins)} logins")
check("login" not in w.place.said(), f"without an alarm: {w.place.said()[-300:]}")
check(stop(daemon) == 0, "it ends well")
w.silent("a token that ended")
w.end()

# a token that lives a second is fetched again; the refresh token that replaces the secret's is kept over a restart
w = World("rotated", 6)
w.tokens.rotate, w.tokens.life = True, 1
daemon = w.place.start()
w.all_come("a replaced refresh token")
check(stop(daemon) == 0, "it ends well")
chain = [a["refresh_token"] for a in w.tokens.asked]
check(chain == [f"refresh-{i}" for i in range(len(chain))], f"each request uses the newest: {chain}")
kept = f"{w.place.state}/refresh-refresh"
check(open(kept).read() == f"refresh-0\nrefresh-{len(chain)}", f"it is kept: {open(kept).read()!r}")
check(os.stat(kept).st_mode & 0o777 == 0o600, "for us alone")
w.silent("a replaced refresh token")
w.end()

# mail and calendar share the refresh token: one request at a time, or the server would see the old one twice
w = World("shared", 24, channels="email: smtp, calendar: smtp", rules="email: 1, calendar: 1")
w.tokens.rotate, w.tokens.wait = True, 0.5
w.server.bearer = lambda given: given.startswith("access-")
daemon = w.place.start()
w.all_come("a shared refresh token")
check(stop(daemon) == 0, "it ends well")
chain = [a["refresh_token"] for a in w.tokens.asked]
check(len(chain) >= 2 and chain == [f"refresh-{i}" for i in range(len(chain))], f"no refresh token is used twice: {chain}")
w.end()

# client credentials, and an answer that quotes its number
w = World("client", 3, token="client_secret: client")
w.tokens.life = "3600"
daemon = w.place.start()
w.all_come("client credentials")
check(w.tokens.asked == [{"grant_type": "client_credentials", "client_id": "our-id", "client_secret": CLIENT_SECRET}],
      f"asked by client credentials: {w.tokens.asked}")
check(stop(daemon) == 0, "it ends well")
w.end()

# what goes wrong costs no attempt and no mail, opens the circuit with one alarm, and says what the token server said
BAD = {
    "refused": (400, json.dumps({"error": "invalid_grant", "error_description": "The grant refresh-0 has ended."}), "invalid_grant"),
    "busy": (503, "come back", "busy"),
    "no JSON": (200, "<html>", "holds no token"),
    "no token": (200, json.dumps({"token_type": "Bearer"}), "holds no token"),
    "a line end": (200, json.dumps({"access_token": "a\r\nX: y", "expires_in": 60}), "holds no token"),
    "endless": (200, json.dumps({"access_token": "a" * 200000}), "cannot be reached"),
    "redirected": (302, "", "holds no token"),
}
for what, (status, answer, words) in BAD.items():
    w = World("bad-" + re.sub(r"\W", "-", what), 2)
    w.tokens.script = [(status, answer)] * 50
    daemon = w.place.start()
    wait(f"{what}: the queue says why", lambda: "token server" in w.place.nudge("queue").stdout.decode(), 20)
    if what != "busy":  # no circuit opens, so there is no alarm
        wait(f"{what}: it is told", lambda: words in w.place.said(), 20)
    check(w.place.counts() == {"pending": 2} or w.place.counts() == {"pending": 1, "leased": 1}, f"{what}: both wait: {w.place.counts()}")
    check(stop(daemon) == 0, "it ends well")
    check(w.place.said().count("invalid_grant") <= 1, f"{what}: one alarm")
    check(len(w.tokens.asked) <= 4, f"{what}: the token server is left in peace: {len(w.tokens.asked)} requests")
    check(not w.mails.recipients and w.place.counts() == {"pending": 2}, f"{what}: nothing was lost")
    w.silent(what)
    w.end()

# a token server whose certificate is another's
w = World("wrong", 2, certificate="wrongname")
daemon = w.place.start()
wait("a wrong certificate: it is told", lambda: "certificate" in w.place.said(), 20)
check(not w.tokens.asked, "a wrong certificate: it got no secret")
check(stop(daemon) == 0, "it ends well")
w.end()

# mistakes in the file are told with their place
p = Place(1, name="mistakes")
for token, words in (("{ url: 'http://x.example', client: a, refresh: b }", "https://"), ("{ url: 'https://x.example', client: a }", "client_secret"),
                     ("{ url: 'https://x.example', refresh: b }", "client"), ("{ url: 'https://x.example', cleint: a }", "client")):
    p.configure(f"relays:\n  - {{ host: localhost, login: xoauth2, user: nudge,\n      token: {token} }}\n")
    said = p.nudge("status", ok=(1, 2)).stderr.decode()
    check(words in said and ":7:" in said, f"{token}: {said}")
p.configure("relays:\n  - { host: localhost, login: plain, user: nudge, token: { url: 'https://x.example', client: a, refresh: b } }\n")
check("xoauth2" in p.nudge("status", ok=(1, 2)).stderr.decode(), "a token wants xoauth2")
lib.finish("tokens")
