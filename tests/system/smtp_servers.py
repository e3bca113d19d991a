"""The carrier to a relay against servers that misbehave, one script each (F29, F30).

The sink syncs a mail before it answers.  After each script the sink and the fates are joined:
delivered: it has the mail exactly once · uncertain: at most once · else: not at all; and every row
has exactly one fate.  FULL=1 cuts the dialogue after every byte, not after every 29th.
"""
import concurrent.futures
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["SRC"], "tests", "smtp"))
import lib  # noqa: E402
from servers import Drop, Reset, Server, Silence, Sink  # noqa: E402

DRIVER = os.path.join(os.environ["BUILD"], "relay_driver")
PKI = os.path.join(lib.scratch, "pki")
NOWAIT = ("PIPELINING", "8BITMIME", "SIZE 1000000")
CHUNKS = NOWAIT + ("CHUNKING",)


def plain(session, verb, argument, default):
    return default


def at(verb, reply, of=None):
    """Answer this at that verb; of: only for every so-manieth recipient."""
    def script(session, v, argument, default):
        if v != verb or (of and int(re.search(r"r(\d+)@", argument).group(1)) % of != 0):
            return default
        if isinstance(reply, type) and issubclass(reply, Exception):
            raise reply
        return reply
    return script


def once(verb, reply):
    """Only on the first connection."""
    inner = at(verb, reply)

    def script(session, v, argument, default):
        return inner(session, v, argument, default) if session.number == 0 else default
    return script


def many_lines(session, verb, argument, default):
    if default is None or not default or verb == "EHLO":
        return default
    return default[:3] + b"-one\r\n" + default[:3] + b"-two\r\n" + default


def nul(session, verb, argument, default):
    return default and default.replace(b"\r\n", b" \0\x01\xff\r\n")


def bare_lf(session, verb, argument, default):
    return default and default.replace(b"\r\n", b"\n")


def lone(session, verb, argument, default):
    """354 whatever became of the recipients."""
    if verb == "RCPT" and re.search(r"r\d*[05]@", argument):
        return "550 5.1.1 no such user"
    return "354 go" if verb == "DATA" else default


def after_mails(n, reply):
    def script(session, verb, argument, default):
        if verb == "MAIL" and session.mails >= n:
            if isinstance(reply, type):
                raise reply
            return reply
        return default
    return script


def cut_in_handshake(session, verb, argument, default):
    if verb == "STARTTLS":
        session.send(default)
        raise Drop
    return default


def cut_after_handshake(session, verb, argument, default):
    if verb == "EHLO" and session.secure:
        raise Drop
    return default


def closes_after_mail(session, verb, argument, default):
    if verb in ("dot", "BDAT"):
        session.send(default)
        raise Drop
    return default


def flushes_input(session, verb, argument, default):
    """Says PIPELINING and throws away what came with a command."""
    if verb in ("MAIL", "RCPT", "dot"):
        session.buffer = b""
    return default


def wants_steps(session, verb, argument, default):
    """Says PIPELINING and complains when it is used."""
    if session.buffer and verb in ("MAIL", "RCPT"):
        session.refused = True
        return "503 5.5.0 improper use of SMTP command pipelining"
    return default


def answers_early(session, verb, argument, default):
    """Refuses the text before it has read it, and goes."""
    if verb == "text":
        session.fill()
        session.send(b"552 5.3.4 too much\r\n")
        time.sleep(0.2)  # else the reset overtakes the words
        raise Drop
    return default


def mixed(seed):
    """Anything anywhere, by the dice; but a mail that was stored is not refused after that."""
    def script(session, verb, argument, default):
        if not hasattr(session, "dice"):
            session.dice = random.Random(1000 * seed + session.number)
        dice = session.dice
        if default is None or dice.random() > 0.07:
            return default
        deeds = [Drop, Silence, Reset, "354 go", "250 ok", "hello", b"2", b"250-"]
        if verb not in ("dot", "BDAT"):
            deeds += ["421 4.3.2 bye", "450 4.2.0 later", "550 5.0.0 no"]
            if "CHUNKING" not in session.server.offers:  # smtp.h: there it need not be noticed
                deeds.append(b"250 ok\r\n250 ok\r\n")
        deed = dice.choice(deeds)
        if isinstance(deed, type):
            raise deed
        return deed
    return script


# name, script, what the fates must be made of, server and driver options
CASES = [
    ("clean", plain, "delivered", {}, []),
    ("clean, many connections", plain, "delivered", {}, ["--parallel", "16"]),
    ("without PIPELINING", plain, "delivered", {"offers": ()}, []),
    ("with CHUNKING", plain, "delivered", {"offers": CHUNKS}, []),
    ("CHUNKING without PIPELINING", plain, "delivered", {"offers": ("CHUNKING",)}, []),
    ("large mails", plain, "delivered", {}, ["--size", "300000"]),
    ("large mails with CHUNKING", plain, "delivered", {"offers": CHUNKS}, ["--size", "300000"]),
    ("large mails over TLS", plain, "delivered", {"tls": "implicit", "certificate": "good"},
     ["--size", "300000"]),
    ("EHLO not known", at("EHLO", "502 what"), "delivered", {}, []),
    ("greeting after a while", lambda s, v, a, d: (time.sleep(0.2), d)[1] if v == "greeting" else d,
     "delivered", {}, []),

    ("closes at once", at("greeting", Drop), "back", {}, []),
    ("closes at EHLO", at("EHLO", Drop), "back", {}, []),
    ("closes at MAIL", at("MAIL", Drop), "again", {}, []),
    ("closes at RCPT", at("RCPT", Drop), "again", {}, []),
    ("closes at DATA", at("DATA", Drop), "again", {}, []),
    ("closes in the text", at("text", Drop), "uncertain again", {}, []),
    ("closes at the dot, mail not stored", at("before-dot", Drop), "uncertain", {}, []),
    ("closes at the dot, mail stored", at("dot", Drop), "uncertain", {}, []),
    ("closes at BDAT, mail not stored", at("before-BDAT", Drop), "uncertain", {"offers": CHUNKS}, []),
    ("closes at BDAT, mail stored", at("BDAT", Drop), "uncertain", {"offers": CHUNKS}, []),
    ("closes at QUIT", at("QUIT", Drop), "delivered", {}, []),
    ("resets at the dot, mail stored", at("dot", Reset), "uncertain", {}, []),
    ("closes at the first RSET", once("RSET", Drop), "delivered never",
     {"rcpt_refused": 5}, []),

    ("silent from the start", at("greeting", Silence), "back", {}, []),
    ("silent at EHLO", at("EHLO", Silence), "back", {}, []),
    ("silent at MAIL", at("MAIL", Silence), "again", {}, []),
    ("silent at RCPT", at("RCPT", Silence), "again", {}, []),
    ("silent at DATA", at("DATA", Silence), "again", {}, []),
    ("silent at the dot, mail not stored", at("before-dot", Silence), "uncertain", {}, []),
    ("silent at the dot, mail stored", at("dot", Silence), "uncertain", {}, []),
    ("silent once at MAIL", once("MAIL", Silence), "again delivered", {}, []),

    ("421 as greeting", at("greeting", "421 4.3.2 busy"), "back", {}, []),
    ("450 as greeting", at("greeting", "450 later"), "back", {}, []),
    ("554 as greeting", at("greeting", "554 5.7.1 not you"), "back", {}, []),
    ("421 at EHLO", at("EHLO", "421 busy"), "back", {}, []),
    ("550 at EHLO and HELO", lambda s, v, a, d: "550 no" if v in ("EHLO", "HELO") else d, "back", {}, []),
    ("421 at MAIL", at("MAIL", "421 4.3.2 busy"), "again", {}, []),
    ("451 at MAIL", at("MAIL", "451 4.3.0 later"), "again", {}, []),
    ("550 at MAIL", at("MAIL", "550 5.7.1 not this sender"), "ours", {}, []),
    ("421 at RCPT", at("RCPT", "421 4.3.2 busy"), "again", {}, []),
    ("450 at RCPT", at("RCPT", "450 4.2.0 later"), "again", {}, []),
    ("550 at RCPT", at("RCPT", "550 5.1.1 no such user"), "never", {}, []),
    ("552 5.2.2 at RCPT", at("RCPT", "552 5.2.2 full"), "again", {}, []),
    ("451 at DATA", at("DATA", "451 4.3.0 later"), "again", {}, []),
    ("554 at DATA", at("DATA", "554 5.0.0 no"), "never", {}, []),
    ("421 at the dot", at("before-dot", "421 4.3.2 busy"), "again", {}, []),
    ("451 at the dot", at("before-dot", "451 4.3.0 later"), "again", {}, []),
    ("554 at the dot", at("before-dot", "554 5.0.0 no"), "never", {}, []),
    ("554 at BDAT", at("before-BDAT", "554 5.0.0 no"), "never", {"offers": CHUNKS}, []),
    ("every tenth recipient refused", at("RCPT", "550 5.1.1 no", of=10), "delivered never",
     {}, ["--parallel", "4"]),
    ("every tenth recipient refused, step by step", at("RCPT", "550 5.1.1 no", of=10),
     "delivered never", {"offers": ()}, ["--parallel", "4"]),
    ("every tenth recipient refused, CHUNKING", at("RCPT", "550 5.1.1 no", of=10),
     "delivered never", {"offers": CHUNKS}, ["--parallel", "4"]),
    ("354 after refused recipients", lone, "delivered never", {}, []),
    ("refuses the text early", answers_early, "never again uncertain", {}, ["--size", "300000"]),

    ("354 to MAIL", at("MAIL", "354 go"), "again", {}, []),
    ("250 to DATA", at("DATA", "250 ok"), "again", {}, []),
    ("354 to the dot", at("dot", "354 more"), "uncertain", {}, []),
    ("many lines in each reply", many_lines, "delivered", {}, []),
    ("replies in dribbles", plain, "delivered", {"dribble": True}, []),
    ("replies in dribbles, CHUNKING", plain, "delivered", {"dribble": True, "offers": CHUNKS}, []),
    ("bare LF in replies", bare_lf, "delivered", {}, []),
    ("NUL and controls in replies", nul, "delivered", {}, []),
    ("an overlong reply to MAIL", at("MAIL", b"250 " + b"x" * 20000 + b"\r\n"), "again", {}, []),
    ("an overlong reply to the dot", at("dot", b"250 " + b"x" * 20000 + b"\r\n"), "uncertain", {}, []),
    ("a reply without an end", at("MAIL", b"250-x\r\n" * 5000), "again", {}, []),
    ("garbage to MAIL", at("MAIL", b"\x16\x03\x01\x02\x00\x01\n"), "again", {}, []),
    ("garbage to the dot", at("dot", b"HTTP/1.1 400 Bad Request\r\n\r\n"), "uncertain", {}, []),
    ("an empty line to RCPT", at("RCPT", b"\r\n"), "again", {}, []),
    ("lines that disagree", at("dot", b"250-yes\r\n550 no\r\n"), "uncertain", {}, []),
    ("two replies to MAIL", at("MAIL", b"250 ok\r\n250 ok\r\n"), "again", {}, []),
    ("two replies to the dot", at("dot", b"250 ok\r\n250 ok\r\n"), "delivered again back", {}, []),
    ("two replies to EHLO", at("EHLO", b"250 x\r\n250 x\r\n"), "back", {}, []),

    ("a limit that is too small", plain, "never", {"offers": ("PIPELINING", "SIZE 100")}, []),
    ("a limit that is none", plain, "delivered", {"offers": ("PIPELINING", "SIZE 0")}, []),
    ("a limit that cannot be read", plain, "delivered", {"offers": ("PIPELINING", "SIZE x9")}, []),
    ("421 after three mails", after_mails(3, "421 4.7.0 enough"), "delivered", {}, []),
    ("closes after three mails", after_mails(3, Drop), "delivered", {}, []),
    ("resets after three mails", after_mails(3, Reset), "delivered back", {}, []),
    ("one mail a connection", closes_after_mail, "delivered", {}, []),
    ("one mail a connection, CHUNKING", closes_after_mail, "delivered", {"offers": CHUNKS}, []),
    ("PIPELINING that loses commands", flushes_input, "again uncertain delivered", {}, []),
    ("PIPELINING that is refused", wants_steps, "again", {}, []),
    ("stopped at the last moment", plain, "delivered back", {}, ["--stop-every", "4"]),
    ("stopped at the last moment, CHUNKING", plain, "delivered back", {"offers": CHUNKS},
     ["--stop-every", "4"]),
    ("inside the house", plain, "back", {}, ["--guarded"]),

    ("STARTTLS", plain, "delivered", {"tls": "starttls", "certificate": "good"}, []),
    ("STARTTLS, certificate of another name", plain, "back",
     {"tls": "starttls", "certificate": "wrongname"}, []),
    ("STARTTLS, certificate expired", plain, "back", {"tls": "starttls", "certificate": "expired"}, []),
    ("STARTTLS, certificate of a stranger", plain, "back",
     {"tls": "starttls", "certificate": "unknown"}, []),
    ("STARTTLS stripped", plain, "back", {}, ["--tls", "starttls"]),
    ("STARTTLS refused", at("STARTTLS", "454 4.7.0 not now"), "back",
     {"tls": "starttls", "certificate": "good"}, []),
    ("STARTTLS with an answer slipped in", at("STARTTLS", b"220 go\r\n250 slipped in\r\n"), "back",
     {"tls": "starttls", "certificate": "good"}, []),
    ("STARTTLS, then silence", at("STARTTLS", Silence), "back",
     {"tls": "starttls", "certificate": "good"}, []),
    ("TLS from the start", plain, "delivered", {"tls": "implicit", "certificate": "good"}, []),
    ("TLS from the start, expired", plain, "back", {"tls": "implicit", "certificate": "expired"}, []),
    ("TLS expected, plain found", plain, "back", {}, ["--tls", "implicit"]),
    ("cut over TLS at the dot", at("dot", Drop), "uncertain",
     {"tls": "starttls", "certificate": "good"}, []),
    ("STARTTLS, closes in the handshake", cut_in_handshake, "back",
     {"tls": "starttls", "certificate": "good"}, []),
    ("STARTTLS, closes after the handshake", cut_after_handshake, "back",
     {"tls": "starttls", "certificate": "good"}, []),
    ("TLS from the start, closes after the handshake", at("greeting", Drop), "back",
     {"tls": "implicit", "certificate": "good"}, []),
    ("TLS from the start, silent after the handshake", at("greeting", Silence), "back",
     {"tls": "implicit", "certificate": "good"}, []),
    ("cut over TLS in the text", at("text", Drop), "again uncertain",
     {"tls": "starttls", "certificate": "good"}, []),
    ("reset over TLS in the text", at("text", Reset), "again uncertain",
     {"tls": "implicit", "certificate": "good"}, ["--size", "300000"]),
    ("cut over TLS at BDAT, mail stored", at("BDAT", Drop), "uncertain",
     {"tls": "starttls", "certificate": "good", "offers": CHUNKS}, []),
    ("login PLAIN", plain, "delivered", {"tls": "starttls", "certificate": "good", "login": True},
     ["--login", "plain", "--user", "nudge", "--secret", "s3cret"]),
    ("login LOGIN", plain, "delivered", {"tls": "starttls", "certificate": "good", "login": True},
     ["--login", "login", "--user", "nudge", "--secret", "s3cret"]),
    ("login XOAUTH2", plain, "delivered", {"tls": "starttls", "certificate": "good", "login": True},
     ["--login", "xoauth2", "--user", "nudge", "--secret", "s3cret"]),
    ("login PLAIN, wrong", plain, "back", {"tls": "starttls", "certificate": "good", "login": True},
     ["--login", "plain", "--user", "nudge", "--secret", "wrong"]),
    ("login XOAUTH2, wrong", plain, "back", {"tls": "starttls", "certificate": "good", "login": True},
     ["--login", "xoauth2", "--user", "nudge", "--secret", "wrong"]),
    ("login not possible just now", at("AUTH", "454 4.7.0 later"), "back",
     {"tls": "starttls", "certificate": "good", "login": True},
     ["--login", "plain", "--user", "nudge", "--secret", "s3cret"]),
    # libcurl goes on without; whether it needs one is for the server to say
    ("no login offered", plain, "delivered", {"tls": "starttls", "certificate": "good"},
     ["--login", "plain", "--user", "nudge", "--secret", "s3cret"]),
]

# What the reason must say, where the wording is the point.
WORDS = {
    "STARTTLS stripped": "no encryption",
    "STARTTLS, certificate expired": "certificate is not valid",
    "STARTTLS, certificate of another name": "certificate is not valid",
    "STARTTLS, certificate of a stranger": "certificate is not valid",
    "TLS from the start, expired": "certificate is not valid",
    "login PLAIN, wrong": "does not accept our login",
    "554 as greeting": "takes no mail from us",
    "login not possible just now": "at the moment",
    "inside the house": "inside the house",
}


def drive(port, *options, count=12):
    command = [DRIVER, "--port", str(port), "--count", str(count), "--parallel", "2",
               "--dot-wait", "20000", "--limit", "60", *options]
    return subprocess.run(command, capture_output=True, timeout=120)


def fates_of(name, result, count):
    fates, reasons = {}, {}
    for line in result.stdout.decode("utf-8", "replace").splitlines():
        row, fate, *rest = line.split(" ", 3)
        lib.check(int(row) not in fates, f"{name}: row {row} is told twice")
        fates[int(row)] = fate
        reasons[int(row)] = " ".join(rest)
    lib.check(result.returncode == 0, f"{name}: exit {result.returncode} {result.stderr.decode()[-300:]}")
    lib.check(len(fates) == count, f"{name}: {len(fates)} of {count} rows have a fate")
    return fates, reasons


def join(name, fates, sink):
    stored = sink.rows()
    for row, fate in fates.items():
        n = stored.count(row)
        lib.check(n == 1 if fate == "delivered" else n <= 1 if fate == "uncertain" else n == 0,
                  f"{name}: row {row} is {fate}, and the sink has it {n} times")
    lib.check(all(row in fates for row in stored), f"{name}: the sink has a row of nobody")
    for wrong in sink.wrong[:3] if "plain found" not in name else []:
        lib.check(False, f"{name}: {wrong}")


def run_case(case, count=12):
    name, script, want, server_options, driver_options = case
    server_options = dict(server_options)
    sink = Sink(os.path.join(lib.scratch, f"sink-{abs(hash(name))}-{time.monotonic_ns()}"))
    refused = server_options.pop("rcpt_refused", None)
    if refused:
        inner, base = at("RCPT", "550 5.1.1 no", of=refused), script
        script = lambda s, v, a, d: base(s, v, a, inner(s, v, a, d))  # noqa: E731
    if "certificate" in server_options:
        server_options["certificate"] = os.path.join(PKI, server_options["certificate"])
    tls = server_options.get("tls")
    options = list(driver_options) + (["--tls", tls] if tls else [])
    if re.search("silen|loses|dice", name):  # the others must not fail on a busy machine
        options += ["--dot-wait", "500"]
    server = Server(sink, script, **server_options)
    try:
        count = 4 if "silent" in name or "loses" in name else count
        result = drive(server.port, "--ca", os.path.join(PKI, "ca.pem"), *options, count=count)
    finally:
        server.close()
    fates, reasons = fates_of(name, result, count)
    join(name, fates, sink)
    if want is not None:
        lib.check(set(fates.values()) <= set(want.split()),
                  f"{name}: {sorted(set(fates.values()))}, and not {want}: {list(reasons.values())[:2]}")
        lib.check(want.split()[0] in fates.values(), f"{name}: no row is {want.split()[0]}")
    if name in WORDS:
        lib.check(WORDS[name] in reasons.get(0, ""), f"{name}: {reasons.get(0)}")
    sink.close()
    return server


def cut_after(n, offers, tls=None):
    """The first connection ends after n bytes in both directions; F30."""
    sink = Sink(os.path.join(lib.scratch, f"cut-{len(offers)}-{n}-{tls}"))
    server = Server(sink, plain, offers=offers, cut_at=n, tls=tls,
                    certificate=os.path.join(PKI, "good") if tls else None)
    try:
        result = drive(server.port, "--ca", os.path.join(PKI, "ca.pem"),
                       *(["--tls", tls] if tls else []), "--size", "100", "--parallel", "1", count=3)
    finally:
        server.close()
    fates, _ = fates_of(f"cut after {n} bytes", result, 3)
    join(f"cut after {n} bytes, {offers} {tls}", fates, sink)
    sink.close()
    os.unlink(sink.path)
    return server.bytes


def cuts():
    step = 1 if os.environ.get("FULL") else 29
    for offers, tls in ((NOWAIT, None), (CHUNKS, None), ((), None), (NOWAIT, "starttls")):
        whole = cut_after(10 ** 9, offers, tls)
        lib.check(whole > 500, f"a dialogue of {whole} bytes")
        yield from ((n, offers, tls) for n in range(1, whole + 1, step if not tls else 2 * step))


def counted():
    """N sessions are N connections, whatever is refused."""
    tenth = ("counted", at("RCPT", "550 5.1.1 no", of=10), "delivered never", {}, ["--parallel", "8"])
    server = run_case(tenth, count=800)
    lib.check(server.connections == 8, f"{server.connections} connections for 8 sessions")


def idles():
    """After five seconds without work a connection says QUIT."""
    said = []

    def script(session, verb, argument, default):
        if verb == "QUIT":
            said.append(time.monotonic())
        return default
    start = time.monotonic()
    run_case(("idle", script, "delivered", {}, ["--linger", "10"]))
    lib.check(len(said) == 2, f"{len(said)} of 2 connections said QUIT")
    lib.check(all(4.5 < t - start < 15 for t in said), f"after {[t - start for t in said]} s")


def closed_while_idle():
    """A server that ends idle connections soon is not called again without a mail."""
    def script(session, verb, argument, default):
        session.sock.settimeout(0.4)
        return default
    server = run_case(("idle, closed", script, None, {}, ["--linger", "4"]))
    lib.check(server.connections <= 4, f"{server.connections} connections for 2 sessions")


def closed_by_us():
    """Ended by ourselves: what left is in doubt, the rest goes back."""
    sink = Sink(os.path.join(lib.scratch, "closed"))
    server = Server(sink, at("dot", Silence))
    try:
        result = drive(server.port, "--limit", "3", "--dot-wait", "60000", count=9)
    finally:
        server.close()
    fates = [line.split()[1] for line in result.stdout.decode().splitlines()]
    lib.check(sorted(fates) == ["back"] * 7 + ["uncertain"] * 2, f"closed by us: {fates}")
    lib.check(len(sink.rows()) == 2, f"closed by us: the sink has {sink.rows()}")
    sink.close()


def round_trips(count=4000):
    """One round trip a mail, and as many connections as were allowed."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    program = os.path.join(os.environ["SRC"], "bench", "wait_sink.py")
    sink = subprocess.Popen([sys.executable, program, str(port), "2", str(count)], text=True,
                            stdout=subprocess.PIPE)
    sink.stdout.readline()
    clean_run("round trips", port, ["--parallel", "16"], count)
    words = sink.communicate(timeout=30)[0]
    mails, connections, trips = re.search(
        r"(\d+) mails, (\d+) connections, ([\d.]+) round", words).groups()
    lib.check(int(mails) == count and int(connections) == 16, words)
    lib.check(float(trips) <= 1.05, words)


def clean_run(name, port, options, count):
    result = drive(port, "--dot-wait", "10000", *options, count=count)
    fates, reasons = fates_of(name, result, count)
    lib.check(set(fates.values()) == {"delivered"}, f"{name}: {list(reasons.values())[:3]}")


def aiosmtpd():
    """Somebody else's server, with STARTTLS and a login."""
    import logging
    import ssl
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult, LoginPassword
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    got = []

    class Mails:
        async def handle_DATA(self, server, session, envelope):
            got.append((envelope.mail_from, envelope.rcpt_tos[0], envelope.original_content,
                        session.ssl is not None))
            return "250 2.0.0 ok"

    def login(server, session, envelope, mechanism, data):
        good = isinstance(data, LoginPassword) and data.password == b"s3cret"
        return AuthResult(success=good, handled=False)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(PKI, "good.pem"), os.path.join(PKI, "good.key"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(Mails(), hostname="127.0.0.1", port=port, tls_context=context,
                            require_starttls=True, authenticator=login, auth_required=True)
    controller.start()
    try:
        clean_run("aiosmtpd", port, ["--tls", "starttls", "--ca", os.path.join(PKI, "ca.pem"), "--login",
                                     "plain", "--user", "nudge", "--secret", "s3cret"], 40)
    finally:
        controller.stop()
    lib.check(len(got) == 40 and len({m[1] for m in got}) == 40, f"aiosmtpd has {len(got)} mails")
    lib.check(all(m[3] for m in got), "all over TLS")


def smtp_sink():
    """Postfix' own sink."""
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")
    lib.check(program is not None, "smtp-sink (package postfix) is installed")
    if program is None:
        return
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    sink = subprocess.Popen([program, *user, f"127.0.0.1:{port}", "100"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        clean_run("smtp-sink", port, ["--parallel", "16"], 3000)
    finally:
        sink.terminate()
        sink.wait()


def main():
    subprocess.run(["sh", os.path.join(os.environ["SRC"], "tests", "smtp", "certificates.sh"), PKI],
                   check=True)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(run_case, case) for case in CASES]
        jobs += [pool.submit(run_case, (f"dice {seed}", mixed(seed), None, {"offers": offers}, []))
                 for seed in range(12) for offers in (NOWAIT, CHUNKS, ())]
        jobs += [pool.submit(idles), pool.submit(closed_while_idle), pool.submit(closed_by_us)]
        jobs += [pool.submit(cut_after, *cut) for cut in cuts()]
        for job in jobs:
            job.result()
    counted()
    round_trips()
    aiosmtpd()
    smtp_sink()
    lib.finish(f"{len(CASES)} scripts, {len(jobs)} runs")


main()
