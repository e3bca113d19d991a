"""CalDAV against two real servers, behind a door that loses answers: always exactly one event."""
import email.utils
import http.client
import http.server
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request

import icalendar
import lib

DRIVER = os.path.join(os.environ["BUILD"], "dav_driver")
USER, PASSWORD = "zoe", "s3cret"
pki = os.path.join(lib.scratch, "pki")


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=pki)


def certificates():
    os.mkdir(pki)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem",
            "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=leaf",
            "-keyout", "leaf.key", "-out", "leaf.csr")
    with open(os.path.join(pki, "ext"), "w") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-extfile", "ext", "-out", "leaf.pem", "-days", "2")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Door(http.server.BaseHTTPRequestHandler):
    """TLS in front of a server.  `plan` says what becomes of the next requests."""
    protocol_version = "HTTP/1.1"
    backend = 0
    plan = []
    seen = []

    def pass_on(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        conditions = {k: self.headers[k] for k in ("If-Match", "If-None-Match") if self.headers[k]}
        Door.seen.append((self.command, self.path, conditions))
        step = Door.plan.pop(0) if Door.plan else "pass"
        if isinstance(step, tuple):
            status, headers = step
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if step == "cut before":
            self.cut()
            return
        link = http.client.HTTPConnection("127.0.0.1", Door.backend, timeout=20)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        link.request(self.command, self.path, body or None, headers)
        answer = link.getresponse()
        payload = answer.read()
        link.close()
        if step == "cut after":  # the server has done it; nobody hears of it
            self.cut()
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "server", "date"):
                if not (step == "no etag" and name.lower() == "etag"):
                    self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def cut(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_PUT = do_GET = do_DELETE = do_HEAD = pass_on

    def log_message(self, *args):
        pass


def door_open():
    port = free_port()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Door)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(pki, "leaf.pem"), os.path.join(pki, "leaf.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *args: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, port


def wait_for(port, process):
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None:
                sys.exit("the calendar server did not start:\n" + process.stderr.read().decode()[-2000:])
            time.sleep(0.1)
    sys.exit("the calendar server does not listen")


def radicale(port):
    folder = os.path.join(lib.scratch, "radicale")
    os.makedirs(folder)
    with open(os.path.join(folder, "users"), "w") as f:
        f.write(f"{USER}:{PASSWORD}\n")
    with open(os.path.join(folder, "config"), "w") as f:
        f.write(f"[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = htpasswd\n"
                f"htpasswd_filename = {folder}/users\nhtpasswd_encryption = plain\n"
                f"[rights]\ntype = owner_only\n[storage]\nfilesystem_folder = {folder}/store\n"
                "[logging]\nlevel = warning\n")
    process = subprocess.Popen(["/usr/bin/python3", "/usr/bin/radicale", "-C", folder + "/config"],
                               stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    wait_for(port, process)
    direct(port, "MKCALENDAR", "/zoe/agenda/")
    return process, "/{person}/agenda/"


def xandikos(port):
    folder = os.path.join(lib.scratch, "xandikos")
    process = subprocess.Popen(["/usr/bin/xandikos", "--listen-address", "127.0.0.1", "--port", str(port),
                                "-d", folder, "--defaults", "--current-user-principal", "/zoe/"],
                               stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    wait_for(port, process)
    return process, "/{person}/calendars/calendar"


def direct(port, method, path, body=None, **headers):
    """Past the door, as the person's own program."""
    auth = urllib.request.base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    link.request(method, path, body, {"Authorization": "Basic " + auth, **headers})
    answer = link.getresponse()
    payload = answer.read()
    link.close()
    return answer.status, payload, answer.headers


def event(sequence, uid, hour=12, title="Walk"):
    path = os.path.join(lib.scratch, f"{uid}.{sequence}.{hour}.ics")
    with open(path, "w", newline="") as f:
        f.write("BEGIN:VCALENDAR\r\nPRODID:-//test//EN\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\n"
                f"UID:{uid}\r\nSEQUENCE:{sequence}\r\nDTSTAMP:20261125T100000Z\r\n"
                f"DTSTART:20261202T{hour}0000Z\r\nDTEND:20261202T{hour}3000Z\r\nSUMMARY:{title}\r\n"
                "ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:nudge@zorg.example\r\n"
                "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:zoe@zorg.example\r\n"
                "END:VEVENT\r\nEND:VCALENDAR\r\n")
    return path


def drive(url, *lines, parallel=1, password=PASSWORD, inside=True, ca=None):
    """Each line's outcome: (fate, trouble, code, after, receipt, reason)."""
    command = [DRIVER, url, USER, ca or os.path.join(pki, "ca.pem"), str(parallel)]
    result = subprocess.run(command + (["inside"] if inside else []), capture_output=True, timeout=150,
                            input="".join(" ".join(x) + "\n" for x in lines).encode(),
                            env={**os.environ, "DAV_PASSWORD": password})
    if result.returncode != 0:
        sys.exit(f"driver: exit {result.returncode}\n{result.stderr.decode()}")
    rows = {}
    for line in result.stdout.decode().splitlines():
        number, fate, trouble, code, after, receipt, reason = line.split(" ", 6)
        lib.check(number not in rows, f"one outcome a delivery: {line}")
        rows[number] = (fate, int(trouble), int(code), int(after), receipt, reason)
    return [rows[str(i)] for i in range(len(lines))]


def stored(port, folder):
    """UID -> [(SEQUENCE, hour)] of what the server keeps."""
    status, payload, _ = direct(port, "PROPFIND", folder, Depth="1")
    assert status == 207, (status, folder)
    found = {}
    import re
    for href in re.findall(rb"href>([^<]+\.ics)<", payload):
        status, body, _ = direct(port, "GET", href.decode())
        if status == 200:
            for e in icalendar.Calendar.from_ical(body).walk("VEVENT"):
                found.setdefault(str(e["UID"]), []).append((int(e["SEQUENCE"]), e["DTSTART"].dt.hour))
    return found


def judge(name, start):
    backend = free_port()
    process, path = start(backend)
    Door.backend = backend
    url = f"https://127.0.0.1:{door_port}{path}"
    folder = path.replace("{person}", USER).rstrip("/") + "/"

    def count(uid):
        return len(stored(backend, folder).get(uid, []))

    try:
        # put, put again as after a lost settlement, change, withdraw, withdraw again
        uid = "aa11@zorg.example"
        first, = drive(url, ("message", uid, USER, "-", event(0, uid)))
        lib.check(first[0] == "delivered" and first[4] != "-", f"{name}: put {first}")
        lib.check(Door.seen[-1][2] == {"If-None-Match": "*"}, f"{name}: a new one must not be there")
        again, = drive(url, ("message", uid, USER, "-", event(0, uid)))
        lib.check(again[0] == "delivered" and again[4] == first[4], f"{name}: the same again {again}")
        lib.check([s[0] for s in Door.seen[-2:]] == ["PUT", "GET"], f"{name}: 412 means look")
        changed, = drive(url, ("update", uid, USER, first[4], event(1, uid, 14)))
        lib.check(changed[0] == "delivered" and changed[4] not in ("-", first[4]), f"{name}: change {changed}")
        lib.check(stored(backend, folder)[uid] == [(1, 14)], f"{name}: one event, changed")
        stale, = drive(url, ("update", uid, USER, first[4], event(1, uid, 14)))
        lib.check(stale[0] == "delivered" and stale[4] == changed[4], f"{name}: change again {stale}")
        gone, = drive(url, ("withdrawal", uid, USER, changed[4], "-"))
        lib.check(gone[0] == "delivered" and count(uid) == 0, f"{name}: withdrawn {gone}")
        gone, = drive(url, ("withdrawal", uid, USER, changed[4], "-"))
        lib.check(gone[0] == "delivered" and gone[2] in (404, 410, 412), f"{name}: withdrawn again {gone}")

        # every answer lost once, at each step of an invitation's life
        for cut in ("cut before", "cut after"):
            uid = f"{cut.replace(' ', '')}@zorg.example"
            for kind, receipt, file, want in (("message", "-", event(0, uid), [(0, 12)]),
                                              ("update", None, event(1, uid, 15), [(1, 15)]),
                                              ("withdrawal", None, "-", None)):
                Door.plan[:] = [cut]
                lost, = drive(url, (kind, uid, USER, receipt or etag, file))
                lib.check(lost[0] == "again" and lost[1] == 2, f"{name}: {cut} {kind}: {lost}")
                done, = drive(url, (kind, uid, USER, receipt or etag, file))
                etag = done[4]
                lib.check(done[0] == "delivered", f"{name}: {cut} {kind}, then {done}")
                lib.check(stored(backend, folder).get(uid) == want, f"{name}: {cut} {kind}: one event")

        # no receipt: the answer to the first was lost for good, or the server tells no ETag
        uid = "bb22@zorg.example"
        Door.plan[:] = ["no etag"]
        blind, = drive(url, ("message", uid, USER, "-", event(0, uid)))
        lib.check(blind[:1] == ("delivered",) and blind[4] == "-", f"{name}: put without ETag {blind}")
        changed, = drive(url, ("update", uid, USER, "-", event(1, uid, 16)))
        lib.check(changed[0] == "delivered" and stored(backend, folder)[uid] == [(1, 16)],
                  f"{name}: changed without ETag {changed}")
        lib.check([s[0] for s in Door.seen[-2:]] == ["GET", "PUT"], f"{name}: looks before it changes")
        gone, = drive(url, ("withdrawal", uid, USER, "-", "-"))
        lib.check(gone[0] == "delivered" and count(uid) == 0, f"{name}: withdrawn without ETag {gone}")
        never, = drive(url, ("withdrawal", "cc33@zorg.example", USER, "-", "-"))
        lib.check(never[0] == "delivered", f"{name}: withdrawing what never came {never}")
        late, = drive(url, ("update", "dd44@zorg.example", USER, "-", event(1, "dd44@zorg.example")))
        lib.check(late[0] == "delivered" and count("dd44@zorg.example") == 1,
                  f"{name}: the change of what never came puts it there {late}")

        # the person's own hand
        uid = "ee55@zorg.example"
        first, = drive(url, ("message", uid, USER, "-", event(0, uid)))
        place = folder + "ee55-zorg.example.ics"
        with open(event(0, uid, 18, "My walk")) as f:
            status, _, _ = direct(backend, "PUT", place, f.read(), **{"Content-Type": "text/calendar"})
        lib.check(status in (200, 201, 204), f"{name}: the person moves it, {status}")
        changed, = drive(url, ("update", uid, USER, first[4], event(1, uid, 13)))
        lib.check(changed[0] == "delivered" and stored(backend, folder)[uid] == [(1, 13)],
                  f"{name}: an update wins over an edit {changed}")
        direct(backend, "DELETE", place)
        refused, = drive(url, ("update", uid, USER, changed[4], event(2, uid, 17)))
        lib.check(refused[0] == "never" and count(uid) == 0, f"{name}: what they took out stays out {refused}")
        with open(event(3, "other@zorg.example", 11)) as f:
            direct(backend, "PUT", place, f.read(), **{"Content-Type": "text/calendar"})
        for kind, file in (("message", event(0, uid)), ("withdrawal", "-")):
            other, = drive(url, (kind, uid, USER, "-", file))
            lib.check(other[0] == "never" and count("other@zorg.example") == 1,
                      f"{name}: another's event is not touched by a {kind}: {other}")

        # many at once
        many = [("message", f"m{i}@zorg.example", USER, "-", event(0, f"m{i}@zorg.example")) for i in range(40)]
        lib.check(all(r[0] == "delivered" for r in drive(url, *many, parallel=6)), f"{name}: 40 through 6")
        lib.check(all(r[0] == "delivered" for r in drive(url, *many, parallel=6)), f"{name}: 40 again")
        kept = stored(backend, folder)
        lib.check(all(len(kept.get(m[1], [])) == 1 for m in many), f"{name}: each of the 40 once")

        # stopped before the first byte
        Door.seen.clear()
        held, = drive(url, ("message", "ff66@zorg.example", USER, "-", "STOP"))
        lib.check(held[0] == "back" and not Door.seen, f"{name}: stopped {held}")
        return url
    finally:
        process.terminate()
        process.wait()


def verdicts(url):
    """Answers that mean no, and for whom."""
    uid = "gg77@zorg.example"
    soon = email.utils.formatdate(time.time() + 300, usegmt=True)
    for answer, fate, trouble in (((401, {"WWW-Authenticate": "Basic realm=x"}), "back", 3),
                                  ((403, {}), "never", 0), ((404, {}), "never", 0), ((409, {}), "never", 0),
                                  ((423, {}), "again", 0), ((507, {}), "again", 0),
                                  ((413, {}), "ours", 0), ((415, {}), "ours", 0),
                                  ((302, {"Location": "http://127.0.0.1/"}), "back", 3),
                                  ((429, {"Retry-After": "120"}), "again", 1),
                                  ((503, {"Retry-After": soon}), "again", 1), ((500, {}), "again", None),
                                  ((207, {}), "again", None)):
        Door.plan[:] = [answer]
        got, = drive(url, ("message", uid, USER, "-", event(0, uid)))
        lib.check(got[0] == fate and trouble in (None, got[1]), f"{answer} is {fate}: {got}")
        if "Retry-After" in answer[1]:
            lib.check(100 <= got[3] <= 310, f"Retry-After is taken over: {got}")
    Door.plan[:] = [(412, {})] * 20
    got, = drive(url, ("message", uid, USER, "-", event(0, uid)))
    lib.check(got[0] == "again", f"a server that says 412 for ever: {got}")
    Door.plan.clear()
    got, = drive(url, ("message", uid, USER, "-", event(0, uid)), inside=False)
    lib.check(got[0] == "back" and got[1] == 3, f"an address inside the house: {got}")
    got, = drive(url, ("message", uid, USER, "-", event(0, uid)), ca="/etc/ssl/certs/ca-certificates.crt")
    lib.check(got[0] == "back" and got[1] == 3, f"a certificate of somebody else: {got}")
    got, = drive(f"https://127.0.0.1:{free_port()}/{{person}}/", ("message", uid, USER, "-", event(0, uid)))
    lib.check(got[0] == "back" and got[1] == 2, f"nobody listens: {got}")
    Door.seen.clear()
    Door.plan[:] = [(201, {"ETag": '"x"'})]
    drive(url, ("message", "../../a+b@x", "jan/../é@zorg.example", "-", event(0, uid)))
    lib.check(Door.seen[0][1].startswith("/jan%2F..%2F%C3%A9%40zorg.example/"), f"escaped: {Door.seen}")
    lib.check(Door.seen[0][1].endswith("/..-..-a-b-x.ics") or Door.seen[0][1].endswith("a-b-x.ics"), f"{Door.seen}")


for program in ("/usr/bin/radicale", "/usr/bin/xandikos", "openssl"):
    if shutil.which(program) is None:
        sys.exit(f"{program} is not installed; ./bootstrap check does that")
certificates()
door, door_port = door_open()
last = judge("radicale", radicale)
judge("xandikos", xandikos)
verdicts(last)
door.shutdown()
lib.finish("caldav")
