"""The power is cut: none lost, none twice, none unexplained, and a stop stays a stop (RELIABILITY.md 7: F10, F66).

The state lies on an ext4 of its own, in a file behind a loop device.  A cut is the ioctl that file
system developers cut the power with: from then on nothing reaches the disk, and what was not synced
is gone with the page cache.  The mail server writes down and syncs on another disk before it answers.
After a cut the machine has another boot id, as after any start; the service is told so by a file
that is mounted over the kernel's, in a mount namespace of this test.

The same test with SQLite's synchronous NORMAL must find mails that came and of which the outbox knows nothing.
CUTS: how many; `make faults` makes sixty.
"""
import ctypes
import fcntl
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time
import uuid

from alone import alone

CUTS = int(os.environ.get("CUTS", "8"))
SEED = int(os.environ.get("SEED", "10"))
SHUTDOWN, NO_LOG_FLUSH = 0x8004587d, 2
BOOT = "/proc/sys/kernel/random/boot_id"


alone(__file__, "mount")
if not os.path.exists("/dev/loop-control"):
    sys.exit("the power cut wants a loop device: there is no /dev/loop-control (a container without devices?)")
import place as lib  # noqa: E402
from place import Place, Sink, check, defects, join, stop, wait  # noqa: E402

draw = random.Random(SEED)
boot = os.path.join(lib.scratch, "boot_id")


def new_boot():
    with open(boot, "w") as f:
        f.write(f"{uuid.UUID(int=draw.getrandbits(128), version=4)}\n")


class Disk:
    def __init__(self, name):
        self.image, self.folder = os.path.join(lib.scratch, name + ".img"), os.path.join(lib.scratch, name)
        os.makedirs(self.folder)
        with open(self.image, "w") as f:
            f.truncate(96 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.on()

    def on(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.folder], check=True)

    def cut(self, processes):
        """Everything ends at one moment; or the disk dies a little before the rest does."""
        together = draw.random() < 0.7
        if together:
            for p in processes:
                p.send_signal(signal.SIGSTOP)
        fd = os.open(self.folder, os.O_RDONLY)
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(fd)
        if not together:
            time.sleep(draw.uniform(0, 0.03))
        for p in processes:
            p.kill()
            p.wait()

    def off(self):
        end = time.monotonic() + 10
        while subprocess.run(["umount", self.folder], capture_output=True).returncode:
            if time.monotonic() > end:
                sys.exit(f"{self.folder} cannot be unmounted")
            time.sleep(0.01)


class Tellers(threading.Thread):
    """People who say stop, and events, while the service is at work; what was acknowledged, counts."""

    def __init__(self, place, program, stops, goes, then):
        super().__init__()
        self.command = [program, "--config", place.config, "--state", place.state, "--rules", place.rules]
        self.words = [(i, ["event", f"P{i}", "go", "--at", then]) for i in goes]
        draw.shuffle(self.words)
        self.words[1:1] = [(i, ["answer", f"P{i}", place.run, "stop"]) for i in stops]
        self.done, self.over, self.lock, self.now = [], False, threading.Lock(), None

    def run(self):
        for i, words in self.words:
            with self.lock:
                if self.over:
                    return
                self.now = subprocess.Popen([*self.command, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if self.now.wait() == 0 and not self.over:
                self.done.append((words[0], i))

    def end(self):
        """Nothing after this counts as acknowledged.  Returns what is still running."""
        with self.lock:
            self.over = True
            return [self.now] if self.now and self.now.poll() is None else []


class Machine:
    """A service on a disk of its own, its people and its mail server."""

    def __init__(self, name, people, nudged=None, nudge=None):
        new_boot()
        self.nudged, self.nudge = nudged, nudge or lib.lib.NUDGE
        self.disk = Disk(name + "-disk")
        self.sink = Sink(name, dot_delay=0.002)
        self.place = Place(people, self.sink.relay(connections=4), name, state=f"{name}-disk/state", told=0)
        self.then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 180))
        self.stopped, self.told = set(), set()
        self.daemon = None

    def tell(self, people):
        for i in people:
            self.place.nudge("event", f"P{i}", "go", "--at", self.then, ok=(0, 1))
            self.told.add(i)

    def cycle(self, now, later, stops, least=None):
        """Start, work, and end at a random moment.  now, later: who is due before it, and meanwhile; least: so many must have come."""
        self.tell(now)
        before = self.sink.count()
        tellers = Tellers(self.place, self.nudge, stops, later, self.then)
        self.daemon = self.place.start(program=self.nudged)
        tellers.start()
        if least:
            wait(f"{least} have come", lambda: self.sink.count() >= before + least)
        elif draw.random() < 0.75:  # else also while it starts
            end = time.monotonic() + 5
            while self.sink.count() == before and not self.settled() and time.monotonic() < end:
                time.sleep(0.001)
        if stops and draw.random() < 0.5:  # a stop was acknowledged just now
            wait("a stop is acknowledged", lambda: any(word == "answer" for word, _ in tellers.done))
        time.sleep(draw.uniform(0, 0.1))
        running = tellers.end()
        self.disk.cut([self.daemon, *running])
        tellers.join()
        self.disk.off()
        new_boot()
        self.disk.on()
        self.stopped |= {i for word, i in tellers.done if word == "answer"}
        self.told |= {i for word, i in tellers.done if word == "event"}

    def settled(self):
        c = self.place.counts()
        return not c.get("pending") and not c.get("leased")

    def people(self, of):
        """Whose id stands in a table."""
        with self.place.database() as db:
            return {name for name, in db.execute(f"SELECT p.id FROM {of} x JOIN person p ON p.row = x.person")}

    def missing(self):
        """What the disk lost of what it had acknowledged, and what it does not know of what came."""
        wrong = [w for w in defects(self.place, self.sink)[0] if "but is leased" not in w]
        said, told = self.people("answer"), self.people("event")
        wrong += [f"the stop of P{i} is lost" for i in self.stopped if f"P{i}" not in said]
        return wrong + [f"the event of P{i} is lost" for i in self.told if f"P{i}" not in told]

    def end(self):
        self.sink.end()
        self.disk.off()


def full():
    each = 24
    m = Machine("full", CUTS * each)
    # what a command said is done is done, also when it was the first thing on this disk
    m.disk.cut([])
    m.disk.off()
    m.disk.on()
    check(m.place.nudge("runs").stdout.decode().startswith(m.place.run), "a run is there after the very first cut")
    for k in range(CUTS):
        people = range(k * each, (k + 1) * each)
        m.cycle(people[:10], people[10:16], people[5:9])
        for sentence in m.missing():
            check(False, f"cut {k + 1}: {sentence}")
        m.tell(people)
    daemon = m.place.start()
    # who said stop before it was their turn has no delivery, and nobody else
    everybody = {f"P{i}" for i in range(m.place.n)}
    wait("all is settled in the end", lambda: m.people("answer") | m.people("delivery") == everybody and m.settled(), 60)
    check(stop(daemon) == 0, "it ends as ever")
    m.place.n = len(m.people("delivery"))
    rows = join(m.place, m.sink, "power cut")
    check(m.stopped, "some stops were acknowledged before a cut")
    for i in m.stopped:
        check(b'"stop"' in m.place.nudge("people", "export", f"P{i}").stdout, f"P{i} stays stopped")
    for row, (state, _, reason) in rows.items():
        check(state in ("delivered", "cancelled") or state == "uncertain" and "may have got it" in reason,
              f"d{row} is {state}: {reason}")
    print(f"FULL: {CUTS} cuts, {m.sink.count()} mails, {len(m.stopped)} stops acknowledged,", m.place.counts())
    m.end()


def normal():
    """The control: after at most eight cuts the same look must find something."""
    build = os.environ["BUILD"]
    m = Machine("normal", 8 * 24, os.path.join(build, "nudged_normal"), os.path.join(build, "nudge_normal"))
    found, cuts = [], 0
    while not found and cuts < 8:
        people = range(cuts * 24, cuts * 24 + 24)
        m.cycle(people[:20], people[20:], (), least=5)
        found = m.missing()
        cuts += 1
    check(len(found) > 0, "with synchronous NORMAL this test must find what was lost")
    print(f"NORMAL: {cuts} cuts, {len(found)} defects, as it must be:", "; ".join(found[:2]))
    m.end()


new_boot()
if ctypes.CDLL(None, use_errno=True).mount(boot.encode(), BOOT.encode(), None, 4096, None):
    sys.exit(f"{BOOT} cannot be mounted over: {os.strerror(ctypes.get_errno())}")
full()
normal()
lib.finish("power cut")
