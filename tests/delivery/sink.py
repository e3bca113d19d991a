"""A mail server that keeps its word: a mail is written down and synced before its 250.

sink.py PORT OUT [--host ADDRESS] [--dot-delay S] [--kill-after N:PID_FILE] [--hold FILE] [--refuse-every N] [--stranger FILE]
One JSON line a mail: id, sender, recipient, size, and a digest of the bytes.
"""
import argparse
import hashlib
import json
import os
import re
import signal
import socket
import threading
import time

args = argparse.ArgumentParser()
args.add_argument("port", type=int)
args.add_argument("out")
args.add_argument("--host", default="127.0.0.1")
args.add_argument("--dot-delay", type=float, default=0)
args.add_argument("--kill-after", default="")
args.add_argument("--hold", default="")
args.add_argument("--refuse-every", type=int, default=0)
args.add_argument("--stranger", default="", help="relay nothing while this file is there")
args = args.parse_args()
lock = threading.Lock()
out = os.open(args.out, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
taken = seen = 0


def keep(sender, recipient, body):
    global taken
    found = re.search(rb"^Message-ID: <([^>]*)>", body, re.M | re.I)
    line = json.dumps({"id": found.group(1).decode() if found else "", "sender": sender, "recipient": recipient,
                       "size": len(body), "digest": hashlib.sha256(body).hexdigest()}) + "\n"
    with lock:
        os.write(out, line.encode())
        os.fdatasync(out)
        taken += 1
        return taken


def serve(s):
    global seen
    f = s.makefile("rb")

    def say(text):
        s.sendall(text.encode() + b"\r\n")
    say("220 sink ESMTP")
    sender = recipient = ""
    while line := f.readline():
        verb = line[:4].upper()
        if verb == b"EHLO":
            s.sendall(b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000\r\n")
        elif verb == b"MAIL":
            sender = line[line.find(b"<") + 1:line.find(b">")].decode()
            say("250 ok")
        elif verb == b"RCPT":
            recipient = line[line.find(b"<") + 1:line.find(b">")].decode()
            with lock:
                seen += 1
                refused = args.refuse_every and seen % args.refuse_every == 0
            if args.stranger and os.path.exists(args.stranger):
                recipient = ""
                say("554 5.7.1 relay access denied")
            elif refused:
                recipient = ""
                say("550 5.1.1 nobody here")
            else:
                say("250 ok")
        elif verb == b"DATA":
            if not recipient:
                say("554 5.5.1 no valid recipients")
                continue
            say("354 go on")
            while args.hold and not os.path.exists(args.hold):
                time.sleep(0.01)
            body = b""
            while (part := f.readline()) not in (b".\r\n", b""):
                body += part[1:] if part.startswith(b".") else part
            if part == b"":
                break
            time.sleep(args.dot_delay)
            n = keep(sender, recipient, body)
            say("250 2.0.0 taken")
            recipient = ""
            if args.kill_after:
                after, file = args.kill_after.split(":")
                if n % int(after) == 0 and os.path.exists(file):
                    try:
                        os.kill(int(open(file).read().split()[0]), signal.SIGKILL)
                    except (ProcessLookupError, IndexError, ValueError):
                        pass
        elif verb == b"RSET":
            sender = recipient = ""
            say("250 ok")
        elif verb == b"QUIT":
            say("221 bye")
            break
        else:
            say("250 ok")
    s.close()


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((args.host, args.port))
listener.listen(200)


def guarded(s):
    try:
        serve(s)
    except OSError:
        pass


while True:
    peer, _ = listener.accept()
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=guarded, args=(peer,), daemon=True).start()
