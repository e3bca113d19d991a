"""A house that receives mail: a real Postfix with STARTTLS before a real Dovecot, both in the test's folder, on loopback.

Postfix' master insists on root.  Whoever is not root takes a user namespace in which they are, with the user ids that
/etc/subuid gives them (package uidmap); where there is none either, the test fails and says so: nothing is skipped.
"""
import atexit
import grp
import imaplib
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys

if os.getuid() != 0:
    print("not root: on in a user namespace, if unshare and newuidmap can make one", flush=True)
    os.execvp("unshare", ["unshare", "--map-root-user", "--map-auto", sys.executable, *sys.argv])

import place as lib  # noqa: E402

POSTFIX = "/usr/lib/postfix/sbin"
DOMAINS = ("zorg.example", "zoë-zorg.example".encode("idna").decode())

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

# what every private Postfix begins with
BASE = """\
compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = {dir}/maillog
maillog_file_prefixes = {dir}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.zorg.example
mydestination =
alias_maps =
notify_classes =
"""

MAIN = BASE + """\
mynetworks =
recipient_delimiter = +
virtual_mailbox_domains = {domains}
virtual_mailbox_maps = texthash:{dir}/known
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
virtual_alias_maps = inline:{{ {{ left@zorg.example = left@elsewhere.example }} }}
transport_maps = inline:{{ {{ elsewhere.example = error:5.1.6 this person has moved }} }}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
smtpd_recipient_restrictions = check_recipient_access texthash:{dir}/access, permit_sasl_authenticated, reject
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {pki}/good.pem
smtpd_tls_key_file = {pki}/good.key
"""

DOVECOT = """\
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
auth_username_format = %n
recipient_delimiter = +
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
first_valid_uid = 0
ssl = required
ssl_cert = <{pki}/good.pem
ssl_key = <{dir}/key
ssl_dh =
mail_location = maildir:~/Maildir
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {imap}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {auth}
  }}
}}
passdb {{
  driver = passwd-file
  args = {dir}/users
}}
userdb {{
  driver = passwd-file
  args = {dir}/users
}}
namespace inbox {{
  inbox = yes
}}
"""


def program(name):
    found = shutil.which(name, path="/usr/sbin:/usr/bin")
    return found or sys.exit(f"{name} is not installed; ./bootstrap check installs it")


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class Mailhouse:
    """boxes: local parts that have a mailbox, whose password is s3cret, also for SMTP; ghosts: Postfix takes mail for them,
    Dovecot does not."""

    def __init__(self, boxes, ghosts=()):
        self.dir = os.path.join(lib.scratch, "house")
        self.pki = os.path.join(lib.scratch, "pki")
        os.makedirs(f"{self.dir}/dovecot/run")
        os.chmod(lib.scratch, 0o755)  # Postfix' own user walks through it
        certificates = os.path.join(os.environ["SRC"], "tests/smtp/certificates.sh")
        subprocess.run(["sh", certificates, self.pki], check=True)
        self.port, self.lmtp, self.imap, self.auth = (lib.free_port() for _ in range(4))
        self.known(*boxes, *ghosts)
        self.access({})
        self.start_dovecot(boxes)
        self.make_postfix()
        self.start()
        atexit.register(self.stop, signal.SIGKILL)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)

    def known(self, *names):
        """Whom Postfix knows; everybody else is 550 5.1.1 in the session."""
        self.write("known", "".join(f"{name}@{domain} x\n" for name in names for domain in DOMAINS))

    def access(self, rules):
        """Address -> what Postfix says to RCPT; read at the next start."""
        self.write("access", "".join(f"{address} {reply}\n" for address, reply in rules.items()))

    def start_dovecot(self, boxes):
        """It wants no root, so it is nobody."""
        user = pwd.getpwnam("nobody")
        home = f"{user.pw_uid}:{user.pw_gid}::{self.dir}/dovecot"
        self.write("dovecot/users", "".join(f"{b}:{{PLAIN}}s3cret:{home}/{b}::\n" for b in boxes))
        shutil.copy(f"{self.pki}/good.key", f"{self.dir}/dovecot/key")
        self.write("dovecot/dovecot.conf", DOVECOT.format(dir=f"{self.dir}/dovecot", pki=self.pki, imap=self.imap, lmtp=self.lmtp,
                                                          auth=self.auth, user=user.pw_name, group=grp.getgrgid(user.pw_gid).gr_name))
        for path in ("", "/run", "/key"):
            os.chown(f"{self.dir}/dovecot{path}", user.pw_uid, user.pw_gid)
        self.dovecot = lib.run([program("dovecot"), "-F", "-c", f"{self.dir}/dovecot/dovecot.conf"],
                               user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        lib.wait("Dovecot listens", lambda: listens(self.lmtp) and listens(self.imap), 10)

    def make_postfix(self):
        for folder in ("conf", "data", "queue"):
            os.makedirs(f"{self.dir}/{folder}")
        shutil.chown(f"{self.dir}/data", "postfix")
        self.write("conf/master.cf", MASTER.format(port=self.port))
        self.write("conf/main.cf", MAIN.format(dir=self.dir, pki=self.pki, lmtp=self.lmtp, auth=self.auth,
                                               domains=" ".join(DOMAINS)))
        got = subprocess.run([program("postfix"), "-c", f"{self.dir}/conf", "check"], capture_output=True)
        lib.check(got.returncode == 0, f"Postfix takes its configuration: {got.stderr.decode()[-500:]}")

    def start(self):
        self.postfix = lib.run([f"{POSTFIX}/master", "-c", f"{self.dir}/conf"], stdin=subprocess.DEVNULL, start_new_session=True)
        lib.wait("Postfix listens", lambda: listens(self.port), 10)

    def stop(self, how=signal.SIGTERM):
        """Postfix and all of its processes."""
        if self.postfix.poll() is None:
            os.killpg(self.postfix.pid, how)
            self.postfix.wait(20)
        lib.wait("all of Postfix is gone", lambda: not alive(self.postfix.pid), 10)

    def end(self):
        self.stop()
        lib.stop(self.dovecot)

    def queue(self):
        """How many mails Postfix still has.  A file without its x bit is one whose end it never got, nor answered."""
        n = 0
        for name in ("maildrop", "incoming", "active", "deferred", "hold", "corrupt"):
            for folder, _, files in os.walk(f"{self.dir}/queue/{name}"):
                for file in files:
                    try:
                        n += bool(os.stat(os.path.join(folder, file)).st_mode & 0o100)
                    except FileNotFoundError:
                        pass
        return n

    def fetch(self, box):
        """All that lies in a mailbox, as IMAP hands it out."""
        context = ssl.create_default_context(cafile=f"{self.pki}/ca.pem")
        with imaplib.IMAP4_SSL("127.0.0.1", self.imap, ssl_context=context) as imap:
            imap.login(box, "s3cret")
            _, (n,) = imap.select("INBOX", readonly=True)
            if not int(n):
                return []
            _, got = imap.fetch("1:*", "(BODY.PEEK[])")
            return [part[1] for part in got if isinstance(part, tuple)]

    def said(self):
        return "".join(open(f"{self.dir}/{name}", errors="replace").read() for name in ("maillog", "dovecot/dovecot.log")
                       if os.path.exists(f"{self.dir}/{name}"))
