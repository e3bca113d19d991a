"""A channel is sent another way while messages wait in it: they go along, and do not lie there until they expire."""
import glob
import os
import sqlite3
from contextlib import closing

from place import Place, check, finish, free_port, scratch, stop, wait

secrets = os.path.join(scratch, "secrets")
os.mkdir(secrets, 0o700)
with open(os.open(f"{secrets}/hook", os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
    f.write(f"http://127.0.0.1:{free_port()}/hooks/x\n")  # nobody listens there
HOOK = (f"secrets: {secrets}\nchannels: {{ chat: webhook }}\n"
        "chats:\n  people: { format: mattermost, url: hook, inside: true }\n")


def waiting(place):
    with place.database() as db:
        return [d for d, in db.execute("SELECT destination FROM delivery WHERE channel = 1 AND state = 0")]


place = Place(3, HOOK, channels="chat: 1")
daemon = place.start()
wait("three messages wait for the hook", lambda: waiting(place) == ["people"] * 3)
check(stop(daemon) == 0, "the service ends well")

# as they were, had they been made before there was a hook
with closing(sqlite3.connect(f"{place.state}/nudged.db")) as db, db:
    db.execute("UPDATE delivery SET destination = ''")
daemon = place.start()
wait("they wait for the hook again", lambda: waiting(place) == ["people"] * 3, 20)
check(stop(daemon) == 0, "the service ends well again")

place.configure("")
daemon = place.start()
wait("without a hook they are files", lambda: place.counts() == {"delivered": 3}, 20)
check(stop(daemon) == 0, "the service ends well at last")
check(len(glob.glob(f"{place.state}/spool/*/*.json")) == 3, "three files in the spool")
check(place.nudge("status", "--deep").returncode == 0, "the invariants hold")
finish("what waits goes along when its channel is sent another way")
