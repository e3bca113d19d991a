"""The real daemon: start, work, reload, refuse a second one, end."""
import glob
import os
import shutil
import signal
import stat
import subprocess
import time

import lib

NUDGED = os.environ["NUDGED"]
rules = os.path.join(lib.scratch, "rules")
shutil.copytree(lib.RULES, rules)
# a campaign that is due at once, at any hour of any day
open(f"{rules}/house.yaml", "a").close()
text = open(f"{rules}/house.yaml").read()
text = text.replace("  quiet: 18:00-08:00\n", "").replace("  days_off: [saturday, sunday]\n", "").replace("  holidays: [holidays-nl.ics]\n", "  holidays: []\n")
open(f"{rules}/house.yaml", "w").write(text)
path = f"{rules}/campaigns/quick-scan/campaign.yaml"
text = open(path).read().replace(", at: 09:00-16:00", "").replace("after: [5 minutes, 14 days]", "after: [1 minute, 14 days]")
open(path, "w").write(text)

state = os.path.join(lib.scratch, "state")
csv = os.path.join(lib.scratch, "people.csv")
open(csv, "w").write("id,name,email,team,role\nA1,Ann Example,ann@zorg.example,t1,employee\nA2,Bob Example,bob@zorg.example,t1,employee\n")


def nudge(*args, ok=(0,)):
    return lib.nudge(*args, rules=rules, state=state, ok=ok)


def wait(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    lib.check(False, f"{what} within {seconds} s: {open(log).read()[-2000:]}")


nudge("people", "import", csv)
run = nudge("schedule", "quick-scan", "--start", time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))).stdout.decode().strip()
log = os.path.join(lib.scratch, "log")
daemon = subprocess.Popen([NUDGED, "--state", state, "--rules", rules, "--foreground"], stderr=open(log, "w"))
said = lambda words: lambda: words in open(log).read()
try:
    wait("it is at work", said("at work on"))
    second = subprocess.run([NUDGED, "--state", state, "--rules", rules], capture_output=True)
    lib.check(second.returncode == 3 and str(daemon.pid).encode() in second.stderr, f"a second one is refused: {second.stderr}")
    # commands and daemon work on one database at the same time
    nudge("approve", run, "--as", "hr")
    nudge("approve", run, "--as", "works-council")
    past = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 58))
    nudge("event", "A1", "questionnaire.finished", "--at", past)
    wait("a mail lies in the spool", lambda: glob.glob(f"{state}/spool/*/*.eml"), 60)
    mail = glob.glob(f"{state}/spool/*/*.eml")
    lib.check(len(mail) == 1 and b"ann@zorg.example" in open(mail[0], "rb").read(), "for Ann and nobody else")
    for folder, _, files in os.walk(state):
        lib.check(stat.S_IMODE(os.stat(folder).st_mode) == 0o700, f"{folder} is 0700")
        for name in files:
            lib.check(stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) == 0o600, f"{name} is 0600")
    lib.check(b"sent" in nudge("why", "A1").stdout or b"verstuurd" in nudge("why", "A1").stdout, "why says it")
    # a broken reload changes nothing, loudly; a good one takes over
    good = open(path).read()
    open(path, "w").write(good.replace("priority", "priorty"))
    wait("the broken rule base is told", said("the one in force stays"))
    lib.check("priorty" in open(log).read(), "with its place")
    nudge("reload", ok=(1,))
    open(path, "w").write(good.replace("priority: 8", "priority: 9"))
    wait("the good one is in force", said("is in force"))
    os.kill(daemon.pid, signal.SIGHUP)
    wait("SIGHUP reads again", said("as it was"))
    lib.check(nudge("status", "--deep").returncode == 0, "all invariants hold")
    daemon.send_signal(signal.SIGTERM)
    lib.check(daemon.wait(20) == 0, "SIGTERM ends it with 0")
    lib.check(not os.path.exists(f"{state}/doorbell"), "and the doorbell is gone")
    lib.check(nudge("reload", ok=(1,)).returncode == 1, "reload says that nobody listens")
finally:
    if daemon.poll() is None:
        daemon.kill()
        daemon.wait()
# erasure leaves no trace of a canary in any file of the state
nudge("people", "forget", "A2")
trace = [f for f in glob.glob(f"{state}/**", recursive=True) if os.path.isfile(f) and b"bob@zorg" in open(f, "rb").read()]
lib.check(not trace, f"an erased person is nowhere: {trace}")
nudge("people", "import", csv)
lib.check(b"A2" not in nudge("people", "list").stdout, "and does not come back with the next roster")
open(csv, "w").write("id,name,email,team\n")
lib.check(nudge("people", "import", csv, ok=(1,)).returncode == 1, "an empty roster is refused")
lib.finish("daemon")
