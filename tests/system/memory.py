"""Every command, the daemon and the engine under valgrind: no bad read, nothing left behind.

In a build with --enable-sanitizers the same runs are judged by the sanitizers.  One command by hand:
valgrind --leak-check=full build/nudge --rules rules check
"""
import glob
import os
import shutil
import signal
import subprocess
import time

import lib

NUDGED = os.environ["NUDGED"]
BUILD = os.environ["BUILD"]
BAD = 99
sanitized = b"__asan_init" in open(lib.NUDGE, "rb").read()
if not sanitized and shutil.which("valgrind") is None:
    raise SystemExit("valgrind is missing: ./bootstrap check installs it")
state = os.path.join(lib.scratch, "state")
csv = os.path.join(lib.scratch, "people.csv")
lib.people_csv(csv, 40)
rules = os.path.join(lib.scratch, "rules")  # two campaigns: every command reads them all, fifty times slower
shutil.copytree(lib.RULES, rules)
for campaign in os.listdir(f"{rules}/campaigns"):
    if campaign not in ("bravo-week", "quick-scan"):
        shutil.rmtree(f"{rules}/campaigns/{campaign}")


def guarded(command):
    log = os.path.join(lib.scratch, "valgrind.log")
    if sanitized:
        return command, log
    return ["valgrind", "-q", f"--error-exitcode={BAD}", "--leak-check=full", "--child-silent-after-fork=yes",
            "--show-leak-kinds=definite,indirect,possible", "--errors-for-leak-kinds=definite,indirect,possible",
            f"--log-file={log}"] + command, log


def judge(what, code, expected, stderr, log):
    said = "\n".join(l for l in open(log).read().splitlines() if l.startswith("==")) if os.path.exists(log) else ""
    lib.check(code in expected, f"{what}: exit {code}, not {expected}\n{said[:4000]}\n{stderr[-3000:]}")


def run(*args, expected=(0,), stdin=None):
    command, log = guarded([lib.NUDGE, "--rules", rules, "--state", state, *args])
    r = subprocess.run(command, capture_output=True, input=stdin)
    judge(" ".join(args), r.returncode, expected, r.stderr.decode(errors="replace"), log)
    return r.stdout.decode()


def file(name, text):
    path = os.path.join(lib.scratch, name)
    open(path, "w", encoding="utf-8").write(text)
    return path


broken = os.path.join(lib.scratch, "broken")
shutil.copytree(rules, broken)
open(f"{broken}/campaigns/bravo-week/campaign.yaml", "a").write("prioritty: 3\nrhythm: [a, {b: }]\n  - x\n")
open(f"{broken}/campaigns/quick-scan/campaign.yaml", "a").write("prioritty: 3\nchannels: { emial: 2 }\n")
open(f"{broken}/campaigns/quick-scan/messages/small-step.nl.md", "a").write("\n{{#nope}}{{unknown}} [x](javascript:alert) {{/other}}\n")
run("check")
run("check", broken, expected=(1,))
run("check", broken, "--format", "json", expected=(1,))
run("schema")
run("people", "import", csv, "--dry-run")
run("people", "import", csv)
run("people", "import", file("bad.csv", 'id,name,email,team\n1,"A,b@c,x\n'), expected=(1,))
run("people", "import", file("few.csv", "id,name,email,team\nP21,Person 21,p21@zorg.example,t1\n"), expected=(1,))
run("people", "list")
run("people", "show", "P21")
run("people", "export", "P21")
run("people", "forget", "P31")
run("people", "show", "nobody", expected=(1,))
runs = {}
for campaign in ("bravo-week", "quick-scan"):
    runs[campaign] = run("schedule", campaign, "--start", "2026-03-02").strip()
    for role in ("hr", "works-council"):
        run("approve", runs[campaign], "--as", role)
run("pause", runs["quick-scan"])
run("resume", runs["quick-scan"])
run("runs")
run("when", "bravo-week", "--start", "2026-03-02", "--count", "9")
run("when", "--rrule", "FREQ=MONTHLY;BYDAY=2TU", "--start", "2026-03-02T09:00", "--tz", "Europe/Amsterdam", "--count", "5")
run("when", "--rrule", "FREQ=SOMETIMES", "--start", "2026-03-02T09:00", expected=(1, 2))
run("plan", "--from", "2026-03-02", "--to", "2026-03-13", "--format", "json")
for kind in ("html", "ics", "eml"):
    run("preview", "bravo-week/lunch-walk", "--person", "P23", "--as", kind)
answers = file("answers.yaml", "answers: [{ when: { angle: health }, answer: yes, rate: 50%, delay: 2 hours }]\n")
run("simulate", "--from", "2026-03-02", "--to", "2026-03-13", "--answers", answers, "--out",
    os.path.join(lib.scratch, "out"), "--format", "json")
lib.check(len(glob.glob(f"{lib.scratch}/out/spool/*/*")) > 3, "the simulation wrote messages")
run("render", file("t.mustache", "{{#a}}{{b}}{{{c}}}{{/a}}{{^d}}x{{/d}}{{> part}}"),
    file("d.json", '{"a": [{"b": "<", "c": ">"}, {}]}'))

command, log = guarded([os.path.join(BUILD, "crash_engine"), state, rules, "0", "2026-03-02T00:00:00Z",
                        "2026-03-10T23:00:00Z"])
r = subprocess.run(command, capture_output=True)
judge("the engine", r.returncode, (0,), r.stderr.decode(), log)
lib.check(len(glob.glob(f"{state}/spool/*/*")) > 3, "the engine wrote messages")
run("why", "P21")
run("event", "P21", "questionnaire.finished", "--at", "2026-03-03T10:00:00Z")
run("answer", "P21", runs["bravo-week"], "yes", expected=(0, 1))
run("answer", "P21", runs["bravo-week"], "nonsense", expected=(1,))
run("status", "--deep")
run("queue")
run("cancel", runs["bravo-week"])

command, log = guarded([NUDGED, "--rules", rules, "--state", state, "--foreground"])
out = file("daemon.log", "")
daemon = subprocess.Popen(command, stderr=open(out, "w"))
end = time.monotonic() + 60


def wait(words):
    while words not in open(out).read() and daemon.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    lib.check(words in open(out).read(), f"the daemon says '{words}': {open(out).read()[-2000:]}")


wait("at work on")
run("reload")
daemon.send_signal(signal.SIGTERM)
try:
    judge("the daemon", daemon.wait(60), (0,), open(out).read(), log)
finally:
    if daemon.poll() is None:
        daemon.kill()
lib.finish("memory")
