"""Mistakes in nudged.yaml: each is told with its place and what was expected; what is right passes."""
import os

import lib

path = os.path.join(lib.scratch, "my.yaml")
GOOD = "relays: [ { host: relay.zorg.example } ]\n"


def status(text, ok):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return lib.nudge("--config", path, "status", state=f"{lib.scratch}/state", ok=ok)


def wrong(text, at, *words):
    got = status(text, (0, 1))
    said = got.stderr.decode()
    lib.check(got.returncode == 1, f"refused: {text!r}: {got.returncode} {said}")
    lib.check(f"my.yaml:{at}: error[" in said and all(w in said for w in words), f"{text!r} at {at} says {words}: {said}")


def right(text):
    got = status(text, (0, 1))
    lib.check(got.returncode == 0 and not got.stderr, f"passes: {text!r}: {got.stderr.decode()}")


# which way a channel goes
wrong("channels: { chat: smtp }", "1:19", "chat cannot go by smtp", "expected spool or webhook")
wrong("channels: { print: smtp }", "1:20", "expected spool")
wrong("channels: { calendar: webhook }", "1:23", "expected spool, smtp or caldav")
wrong("channels: { chat: webhook }\nchats: { team: { format: slack, url: hook } }", "1:1", "none is called `people`")

# a relay
wrong("relays: [ { host: relay.zorg.example, user: nudge, password: relay-password } ]", "1:11", "login", "add login: plain")
wrong("relays: [ { host: a b } ]", "1:19", "host", "expected a name")
wrong("relays: [ { host: 'relay.zorg.example:587' } ]", "1:19", "host", "port: 587")
wrong("relays: [ { host: 'https://relay.zorg.example' } ]", "1:19", "host", "expected a name")
wrong("relays: [ { host: relay.zorg.example, ca: house.pem } ]", "1:43", "ca", "full name")
wrong("relays: [ { host: a, login: plain, user: u, password: a/b } ]", "1:55", "password", "name of a secret")
wrong("relays: [ { host: a, login: xoauth2, user: u, token: { url: 'https://a b', client: c, refresh: r } } ]", "1:61",
      "url", "space")
wrong("helo: a b", "1:7", "helo", "expected a name")
right(GOOD)
right("relays: [ { host: '::1', ca: /etc/ssl/house.pem, login: plain, user: u, password: relay-password } ]")

# a chat
wrong("chats: { people: { format: slack, url: 'https://hooks.slack.com/x' } }", "1:40", "url", "name of a secret")
said = status("chats: { people: { format: slack, url: 'https://hooks.slack.com/T0/geheim' } }\n", (1,)).stderr.decode()
lib.check("geheim" not in said, f"a secret in a wrong place is not repeated into a log: {said}")
wrong("chats: { people: { format: generic, url: hook } }", "1:18", "generic", "secret")
wrong("chats: { people: { format: matrix, url: hook } }", "1:18", "matrix", "secret")
wrong("chats: { people: { format: slack, url: hook, ca: house.pem } }", "1:50", "ca", "full name")
right("channels: { chat: webhook }\nchats: { people: { format: matrix, url: hook, secret: token } }")

# the calendar
for url, word in (("http://c.example/{person}/", "inside: true"), ("https://c.example/a b/{person}/", "space"),
                  ("https://c.example/{persn}/", "{person}"), ("https://c.example/{person}/{team}/", "{team}"),
                  ("https://c.example/work/", "{person}"), ("ftp://c.example/{person}/", "https://")):
    wrong(f"caldav: {{ url: '{url}' }}", "1:16", "url", word)
wrong("caldav: { url: 'ftp://c.example/{person}/', inside: true }", "1:16", "https://")
right("caldav: { url: 'http://c.example/{person}/work/', inside: true }")

# addresses
wrong("base_url: http://a.example", "1:11", "https://")
wrong("base_url: https://a.example/", "1:11", "slash")
wrong("base_url: 'https://a b'", "1:11", "space")
wrong("base_url: https://", "1:11", "https://")
right("base_url: https://a.example/nudge")

# a key that looks like a secret belongs into this file, or is a misspelling; never a lesson about rule files
wrong("secret: x", "1:1", "did you mean 'secrets'")

# the file itself
got = lib.nudge("--config", "/nowhere/my.yaml", "status", state=f"{lib.scratch}/state", ok=(1, 2, 3))
lib.check("No such file" in got.stderr.decode(), f"a missing configuration: {got.stderr.decode()}")

# a chat that is not there is said once, and nothing else
status("channels: { chat: webhook }\nchats: { people: { format: slack, url: hook } }", (0,))
got = lib.nudge("--config", path, "test-send", "bravo-week/lunch-walk", "--to", "@me", "--channel", "chat", "--chat", "tem",
                state=f"{lib.scratch}/state", ok=(0, 1, 2, 3))
lib.check(got.stderr.decode().count("\n") == 1 and "'tem'" in got.stderr.decode(), f"test-send --chat tem: {got.stderr.decode()}")

# systemd keeps a credential as root's with an ACL for the service, which stat shows as the group's
os.makedirs(f"{lib.scratch}/creds")
with open(f"{lib.scratch}/creds/relay-password", "w") as f:
    f.write("x\n")
status("channels: { email: smtp }\nrelays: [ { host: 127.0.0.1, port: 1, login: plain, user: u, password: relay-password } ]\n", (0,))
for mode, where, word in ((0o440, "CREDENTIALS_DIRECTORY", "cannot be reached"), (0o440, "", "chmod 600"), (0o600, "", "cannot be reached")):
    os.chmod(f"{lib.scratch}/creds/relay-password", mode)
    os.environ.pop("CREDENTIALS_DIRECTORY", None)
    if where:
        os.environ[where] = f"{lib.scratch}/creds"
    else:
        with open(path, "a") as f:
            f.write("" if "secrets:" in open(path).read() else f"secrets: {lib.scratch}/creds\n")
    got = lib.nudge("--config", path, "test-send", "bravo-week/lunch-walk", "--to", "me@zorg.example", state=f"{lib.scratch}/state", ok=(1,))
    lib.check(word in got.stderr.decode(), f"a secret of mode {mode:o}, {where or 'secrets'}: {got.stderr.decode()}")

lib.finish("config")
