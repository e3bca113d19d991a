"""SMTP servers that misbehave, one script each, and the sink behind them.

A server writes every mail down and syncs it before it says 250.  A script is a function
reply(session, verb, argument, default) that returns the bytes to answer instead, or raises
Drop (close now), Silence (never answer), Reset (close with RST).
"""
import os
import re
import socket
import ssl
import struct
import threading
import time


class Drop(Exception):
    pass


class Silence(Exception):
    pass


class Reset(Exception):
    pass


class Sink:
    """A journal of rows; a row is there once it is synced."""

    def __init__(self, path):
        self.file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self.lock = threading.Lock()
        self.path = path
        self.wrong = []

    def store(self, session, text):
        row = re.search(rb"^X-Row: (\d+)\r\n", text, re.M)
        number = int(row.group(1)) if row else -1
        if text != body(number, len(text)) or session.recipient != f"<r{number}@rcpt.example>":
            self.wrong.append(f"row {number} for {session.recipient}: {text[:60]!r}")
        with self.lock:
            if self.file is None:  # its run is over; the number of the file may be that of another sink by now
                return
            os.write(self.file, b"%d\n" % number)
            os.fsync(self.file)

    def rows(self):
        with open(self.path, encoding="ascii") as f:
            return [int(line) for line in f]

    def close(self):
        with self.lock:
            os.close(self.file)
            self.file = None


def body(row, size):
    """The text that relay_driver.c makes for a row, at least so long."""
    text = f"Subject: mail {row}\r\nX-Row: {row}\r\n\r\n"
    while len(text) < size:
        text += ".a line that begins with a dot\r\n" if len(text) % 5 == 0 else \
            "a line of the text that is about as long as lines are\r\n"
    return text.encode()


class Session:
    def __init__(self, server, sock, number):
        self.server, self.sock, self.number = server, sock, number
        self.buffer = b""
        self.mails = 0       # of this connection
        self.secure = False
        self.authenticated = False
        self.sender = self.recipient = None
        self.refused = False

    # bytes
    def send(self, data):
        if not data:
            return
        if self.server.dribble:
            for i in range(len(data)):
                self.sock.sendall(data[i:i + 1])
                time.sleep(0.0005)
        else:
            self.server.passed(self, len(data))
            self.sock.sendall(data)

    def fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise Drop
        self.server.passed(self, len(data))
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            self.server.sink.wrong.append(f"a bare LF: {line[:60]!r}")
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def take(self, n):
        while len(self.buffer) < n:
            self.fill()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    # the dialogue
    def answer(self, verb, argument, default):
        if isinstance(default, str):
            default = default.encode() + b"\r\n"
        reply = self.server.script(self, verb, argument, default)
        if isinstance(reply, str):
            reply = reply.encode() + b"\r\n"
        self.send(reply)
        return reply

    def offers(self):
        words = list(self.server.offers)
        if self.server.tls == "starttls" and not self.secure:
            words.append("STARTTLS")
        if self.server.login and (self.secure or not self.server.tls):
            words.append("AUTH PLAIN LOGIN XOAUTH2")
        lines = ["sink.example"] + words
        return "\r\n".join(f"250{'-' if i + 1 < len(lines) else ' '}{line}"
                           for i, line in enumerate(lines))

    def text(self):
        """DATA: dots undone."""
        self.server.in_text(self)
        while True:
            end = self.buffer.find(b"\r\n.\r\n")
            if self.buffer.startswith(b".\r\n"):
                raw, self.buffer = b"", self.buffer[3:]
                break
            if end >= 0:
                raw, self.buffer = self.buffer[:end + 2], self.buffer[end + 5:]
                break
            self.fill()
        return re.sub(rb"(^|\r\n)\.", rb"\1", raw)

    def accept(self, verb, argument, text):
        """The end of a mail: judged, stored, answered, in this order."""
        try:
            before = self.server.script(self, "before-" + verb, argument, None)
        except Drop:
            raise
        reply = before or b"250 2.0.0 queued\r\n"
        if isinstance(reply, str):
            reply = reply.encode() + b"\r\n"
        if reply[:1] == b"2":
            self.server.sink.store(self, text)
            self.mails += 1
            self.server.delivered()
        self.answer(verb, argument, reply)
        self.sender = self.recipient = None

    def login(self, argument):
        import base64
        parts = argument.split()
        given = base64.b64decode(parts[1]) if len(parts) > 1 else b""
        if parts[0] == "LOGIN":
            if not given:
                self.send(b"334 VXNlcm5hbWU6\r\n")
                given = base64.b64decode(self.line())
            self.send(b"334 UGFzc3dvcmQ6\r\n")
            good = given == b"nudge" and base64.b64decode(self.line()) == b"s3cret"
        elif parts[0] == "PLAIN":
            good = given == b"\0nudge\0s3cret"
        else:
            good = given.startswith(b"user=nudge\1auth=Bearer ") and given.endswith(b"\1\1") and \
                self.server.bearer(given[23:-2].decode())
            if not good:
                self.send(b"334 eyJzdGF0dXMiOiI0MDAifQ==\r\n")
                self.line()
        self.authenticated = good
        self.answer("AUTH", argument, "235 2.7.0 welcome" if good else "535 5.7.8 no")

    def starttls(self):
        reply = self.answer("STARTTLS", "", "220 go")
        if reply[:3] == b"220":
            self.sock = self.server.wrap(self.sock)
            self.secure, self.buffer = True, b""

    def command(self, line):
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        if verb in ("EHLO", "HELO"):
            self.answer(verb, argument, self.offers() if verb == "EHLO" else "250 sink.example")
        elif verb == "STARTTLS":
            self.starttls()
        elif verb == "AUTH":
            self.login(argument)
        elif verb == "MAIL":
            self.sender = argument
            if self.server.login and not self.authenticated:
                self.server.sink.wrong.append("a mail before the login")
            reply = self.answer(verb, argument, "250 2.1.0 ok")
            self.refused = reply[:1] != b"2"
        elif verb == "RCPT":
            self.recipient = argument[3:]
            default = "503 5.5.1 no sender" if self.refused else "250 2.1.5 ok"
            reply = self.answer(verb, argument, default)
            self.refused = self.refused or reply[:1] != b"2"
        elif verb == "DATA":
            reply = self.answer(verb, "", "503 5.5.1 no recipient" if self.refused else "354 go")
            if reply[:3] == b"354":
                text = self.text()
                if self.refused:
                    self.answer("lone", "", "554 5.5.1 no recipient")
                    if text:
                        self.server.sink.wrong.append("a text after a refused recipient")
                else:
                    self.accept("dot", "", text)
        elif verb == "BDAT":
            text = self.take(int(argument.split()[0]))
            if self.refused:
                self.answer(verb, "", "503 5.5.1 no recipient")
                self.server.sink.wrong.append("a text after a refused recipient")
            else:
                self.accept("BDAT", argument, text)
        elif verb == "RSET":
            self.refused = False
            self.answer(verb, "", "250 2.0.0 ok")
        elif verb == "QUIT":
            self.answer(verb, "", "221 bye")
            raise Drop
        else:
            self.server.sink.wrong.append(f"an unknown command: {line[:60]!r}")
            self.send(b"500 what\r\n")

    def run(self):
        if self.server.tls == "implicit":
            self.sock = self.server.wrap(self.sock)
            self.secure = True
        self.answer("greeting", "", "220 sink.example ESMTP")
        while True:
            self.command(self.line())


class Server:
    def __init__(self, sink, script, offers=("PIPELINING", "8BITMIME", "SIZE 1000000"), tls=None,
                 certificate=None, login=False, dribble=False, cut_at=None):
        self.sink, self.script, self.offers = sink, script, offers
        self.tls, self.login, self.dribble, self.cut_at = tls, login, dribble, cut_at
        self.connections = self.total = self.stored = 0
        self.bytes = 0
        self.bearer = lambda token: token == "s3cret"
        self.context = None
        if tls and certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate + ".pem", certificate + ".key")
        self.closing = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.threads = []
        thread = threading.Thread(target=self.listen, daemon=True)
        thread.start()

    def wrap(self, sock):
        return self.context.wrap_socket(sock, server_side=True)

    def in_text(self, session):
        self.script(session, "text", "", b"")

    def delivered(self):
        self.stored += 1

    def passed(self, session, n):
        """Cut the first connection after so many bytes in both directions."""
        if self.cut_at is None or session.number > 0:
            return
        self.bytes += n
        if self.bytes >= self.cut_at:
            raise Drop

    def listen(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self.talk, args=(sock, self.connections), daemon=True)
            self.connections += 1
            thread.start()

    def talk(self, sock, number):
        session = Session(self, sock, number)
        try:
            session.run()
        except Drop:
            pass
        except Silence:
            while not self.closing.is_set():
                try:
                    if not session.sock.recv(65536):
                        break
                except OSError:
                    break
        except Reset:
            session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (OSError, ssl.SSLError):
            pass
        try:
            session.sock.close()
        except OSError:
            pass

    def close(self):
        self.closing.set()
        # closing alone does not wake a thread in accept()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
