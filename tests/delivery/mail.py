"""Mail over the network: a clean run, refused people, a server that dies and comes back, stops on the way."""
import os
import re
import signal
import sqlite3
import time

import place as lib
from place import Place, Sink, check, join, stop, wait

# a clean run, with a courier's figures
sink = Sink()
place = Place(60, sink.relay(connections=4))
daemon = place.start()
try:
    wait("all is settled", place.settled)
    rows = join(place, sink, "clean")
    check(all(r[0] == "delivered" for r in rows.values()), f"all are delivered: {place.counts()}")
    queue = place.nudge("queue").stdout.decode()
    check(f"email 127.0.0.1:{sink.port}" in queue and "60 delivered" in queue, f"the queue shows the server: {queue[:300]}")
    check(f"127.0.0.1:{sink.port} is up" in place.nudge("status").stdout.decode(), "so does the status")
    check("service     at work\n" in place.nudge("status").stdout.decode(), "the status says that the service runs")
finally:
    check(stop(daemon) == 0, "SIGTERM ends it with 0")
check("service     not running" in place.nudge("status").stdout.decode(), "and that it does not, whatever was last known of servers")
metrics = open(f"{place.state}/metrics.prom").read()
check('nudged_deliveries{state="delivered"} 60' in metrics, "the metrics count them")
check(re.search(r'^nudged_destination_delivered_total\{destination="email 127.0.0.1:\d+"\} 60$', metrics, re.M), "by server too")
sink.end()

# every seventh person is refused: they are dead, the others come, on as many connections
sink = Sink("refusing", refuse_every=7)
place = Place(60, sink.relay(connections=4), "refused")
daemon = place.start()
try:
    wait("all is settled", place.settled)
    rows = join(place, sink, "refused")
    check(place.counts() == {"delivered": 52, "dead": 8}, f"eight are refused: {place.counts()}")
    dead = [r for r in rows if rows[r][0] == "dead"]
    check(all("p" not in rows[r][2] or "@" not in rows[r][2] for r in dead), "no address in a reason")
    place.nudge("queue", "--requeue", f"d{dead[0]}")
    wait("the requeued one is settled", place.settled)
finally:
    stop(daemon)
check("@zorg.example" not in place.said(), "no address in the log")
sink.end()

# a login that is missing: the relay denies everybody; nobody is dead of it, and one alarm is given
stranger = os.path.join(lib.scratch, "stranger")
open(stranger, "w").close()
sink = Sink("denying", stranger=stranger)
place = Place(30, sink.relay(connections=4), "denied")
daemon = place.start()
try:
    wait("it is told", lambda: "login" in place.said(), 20)
    time.sleep(1)
    check(place.counts() == {"pending": 30}, f"all wait: {place.counts()}")
    check("does it want a login" in place.nudge("queue").stdout.decode(), "the queue says why")
    check(place.said().count("refuses us") == 1, f"one alarm: {place.said()}")
finally:
    stop(daemon)
os.unlink(stranger)
with sqlite3.connect(f"{place.state}/nudged.db") as db:  # an hour later
    db.execute("UPDATE delivery SET next_at = created_at")
    db.execute("UPDATE destination SET open_until = 0")
daemon = place.start()
try:
    wait("all is settled", place.settled)
    join(place, sink, "denied")
    check(place.counts() == {"delivered": 30}, f"and all come once it is mended: {place.counts()}")
finally:
    stop(daemon)
sink.end()

# a server that is down: nothing is lost, nothing costs an attempt, the second relay takes over
sink = Sink("second")
down = lib.free_port()
place = Place(30, f"channels: {{ email: smtp }}\nrelays:\n  - {{ host: 127.0.0.1, port: {down}, tls: none }}\n"
              f"  - {{ host: 127.0.0.1, port: {sink.port}, tls: none }}\n", "failover")
daemon = place.start()
try:
    wait("the second relay takes all", place.settled)
    join(place, sink, "failover")
    check(place.counts() == {"delivered": 30}, f"{place.counts()}")
finally:
    stop(daemon)
sink.end()

# the only server is down: the figures say so while nothing is settled
port = lib.free_port()
place = Place(1, f"channels: {{ email: smtp }}\nrelays:\n  - {{ host: 127.0.0.1, port: {port}, tls: none }}\n", "alone")


def up():
    try:
        return re.search(r'^nudged_destination_up\{destination="email 127.0.0.1:\d+"\} (\d)$', open(f"{place.state}/metrics.prom").read(), re.M)[1]
    except OSError:
        return None


daemon = place.start()
try:
    wait("it is told that the server is down", lambda: "cannot be reached" in place.said(), 20)
    wait("and the figures say so", lambda: up() == "0", 20)
    check(place.counts() == {"pending": 1}, f"it waits: {place.counts()}")
finally:
    stop(daemon)

# a stop while the mail is in hand: DATA was answered, its last bytes have not left
hold = os.path.join(lib.scratch, "go")
sink = Sink("holding", hold=hold)
place = Place(1, sink.relay(), "stopped")
daemon = place.start()
try:
    wait("it is in hand", lambda: place.counts().get("leased") == 1)
finally:
    place.nudge("answer", "P0", place.run, "stop")
    open(hold, "w").close()
wait("it is settled", place.settled)
stop(daemon)
state = place.counts()
# either its last bytes had left before the stop (then it is delivered), or it is cancelled and never came
join(place, sink, "stopped")
check(state in ({"cancelled": 1}, {"delivered": 1}), f"stopped on the way: {state}")
sink.end()

# test-send: what an operator does first, and the mistakes they make
sink = Sink("tried")
place = Place(1, sink.relay(), "tried")
for channel in ("email", "calendar"):
    place.configure(sink.relay().replace("email: smtp", "email: smtp, calendar: smtp"))
    got = place.nudge("test-send", "now/walk-0", "--to", "me@zorg.example", "--channel", channel)
    check(b"delivered to me@zorg.example" in got.stdout, f"test-send by {channel}: {got.stdout} {got.stderr}")
check([m[0]["recipient"] for m in sink.taken().values()] == ["me@zorg.example"] * len(sink.taken()), "both came to me")
check(sink.count() == 2, "one mail each")
two = Sink("test-two")
place.configure(f"channels: {{ email: smtp }}\nrelays:\n  - {{ host: 127.0.0.1, port: {lib.free_port()}, tls: none }}\n"
                f"  - {{ host: 127.0.0.1, port: {two.port}, tls: none }}\n")
got = place.nudge("test-send", "now/walk-0", "--to", "me@zorg.example", ok=(0, 1))
check(got.returncode == 0 and f"delivered to me@zorg.example by 127.0.0.1:{two.port}".encode() in got.stdout and two.count() == 1,
      f"test-send goes on to the second relay: {got.stdout} {got.stderr}")
check(b"cannot be reached" in got.stderr, f"and says what the first did: {got.stderr}")
two.end()
got = place.nudge("test-send", "now/walk-0", "--to", "me@zorg", ok=(2,))
check(b"the domain has no dot" in got.stderr, "an address that is none is refused")
got = place.nudge("test-send", "now/walk-9", "--to", "me@zorg.example", ok=(1,))
check(b"walk-0" in got.stderr, "a message that is not there: what there is")
sink.end()
got = place.nudge("test-send", "now/walk-0", "--to", "me@zorg.example", ok=(1,))
check(b"not delivered (would be tried again)" in got.stderr and b"connect" in got.stderr.lower(), f"a server that is down: {got.stderr}")
refusing = Sink("test-refusing", refuse_every=1)
place.configure(refusing.relay())
got = place.nudge("test-send", "now/walk-0", "--to", "me@zorg.example", ok=(1,))
check(b"not delivered (would not be tried again)" in got.stderr and b"its code was 5" in got.stderr, f"a person who is refused: {got.stderr}")
refusing.end()
place.configure("")
check(b"spool" in place.nudge("test-send", "now/walk-0", "--to", "me@zorg.example").stdout, "without a server it is a file")
place.configure("channels: { email: smtp }\n")
check(b"relays:" in place.nudge("status", ok=(1,)).stderr, "smtp without a relay is told with what to write")

lib.finish("delivery of mail")
