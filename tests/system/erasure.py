"""Somebody is erased: no trace of them in any file of the state, and nothing of anybody else is lost."""
import datetime
import glob
import os
import re
import shutil
import subprocess
import time

import lib

ENGINE = os.path.join(os.environ["BUILD"], "crash_engine")
CANARY = {"id": "QX7", "name": "Quixalot Zanzibar", "email": "quixalot@zorg.example", "chat": "@quixalot"}
# commands live in the present, so the engine goes to the next Tuesday that lies ahead
TUESDAY = datetime.date.today() + datetime.timedelta(1 + (0 - datetime.date.today().weekday()) % 7)
BEFORE, DAY, AFTER, LATER = (f"{TUESDAY + datetime.timedelta(d)}T{h:02}:00:00Z" for d, h in ((-1, 0), (0, 0), (0, 13), (0, 14)))
WEEK_AFTER = f"{TUESDAY + datetime.timedelta(8)}T12:00:00Z"


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


base = os.path.join(lib.scratch, "rules")
write(f"{base}/house.yaml", """languages: [en]
time_zone: Europe/Amsterdam
angles: [health]
messengers: { hr: { name: Team HR, reply_to: hr@zorg.example } }
budget: { week: 100, month: 400, gap: 1 minute }
approvals: [hr]
""")
for hour, channel in enumerate(("email", "chat", "calendar", "print"), 9):
    write(f"{base}/campaigns/by-{channel}/campaign.yaml", f"""title: {{ en: A walk by {channel} }}
hook: {{ en: Good now }}
audience: {{ role: employee }}
rhythm: {{ every: 1 week, on: [tuesday], at: {hour:02}:00, times: 3 }}
channels: {{ {channel}: 1 }}
""")
    write(f"{base}/campaigns/by-{channel}/messages/walk.en.md", """---
angle: health
frame: gain
functions: [enable]
event: { start: +20 days 12:30, length: 30 minutes, place: Garden }
---
# {{first_name}}, a walk?

Twenty minutes and you are back, {{name}}.
""")
csv = os.path.join(lib.scratch, "people.csv")
write(csv, "id,name,first_name,email,team,role,chat\n" +
      "".join(f"P{i},Person {i},Pat{i},p{i}@zorg.example,t{i % 2},employee,@p{i}\n" for i in range(5)) +
      "{id},{name},Quixalot,{email},t1,employee,{chat}\n".format(**CANARY))
start = os.path.join(lib.scratch, "start")
lib.nudge("people", "import", csv, rules=base, state=start)
for channel in ("email", "chat", "calendar", "print"):
    run = lib.nudge("schedule", f"by-{channel}", "--start", str(TUESDAY), rules=base, state=start).stdout.decode().strip()
    lib.nudge("approve", run, "--as", "hr", rules=base, state=start)


def engine(state, *stretch, before=()):
    told = subprocess.run([*before, ENGINE, state, base, "0", *stretch], capture_output=True, env={**os.environ, "DURABLE": "1"})
    lib.check(told.returncode == 0, f"the engine goes on: {told.stderr.decode()[-500:]}")


def trace(state):
    """Files in which anything of the canary stands."""
    words = [w.encode() for w in (*CANARY.values(), "Quixalot")]
    return [f for f in glob.glob(f"{state}/**", recursive=True)
            if os.path.isfile(f) and any(w in open(f, "rb").read() for w in words)]


def spool(state):
    return {os.path.relpath(f, state): open(f, "rb").read() for f in glob.glob(f"{state}/spool/**", recursive=True) if os.path.isfile(f)}


def copy(name, of):
    shutil.copytree(of, os.path.join(lib.scratch, name))
    return os.path.join(lib.scratch, name)


def forget(state, who=CANARY["id"]):
    return lib.nudge("people", "forget", who, rules=base, state=state).stdout.decode()


def withdrawals(state):
    return [n for n, body in spool(state).items() if n.endswith(".ics") and b"METHOD:CANCEL" in body]


# ---- all four channels, and a sheet among others' ----
engine(start, BEFORE, DAY)
sent = copy("sent", start)
engine(sent, DAY, AFTER)
was = spool(sent)
mine = {os.path.relpath(f, sent) for f in trace(sent)} & set(was)
lib.check({os.path.splitext(n)[1] for n in mine} == {".eml", ".json", ".ics", ".html"}, f"they got one by each channel: {sorted(mine)}")
lib.check(len(was) == 6 * 3 + 1, f"three files each, and one for the printer: {len(was)}")
all_of_it = copy("all", sent)
lib.check("erased" in forget(all_of_it), "it is told")
lib.check(not trace(all_of_it), f"nowhere: {trace(all_of_it)}")
now = spool(all_of_it)
page, = [n for n in was if n.endswith(".html")]
lib.check({n: b for n, b in was.items() if n not in mine} == {n: b for n, b in now.items() if n != page}, "nothing of the others changed")
sheets = lambda body: re.findall(rb'<section class="sheet.*?</section>\n', body, re.S)
lib.check([s for s in sheets(was[page]) if b"Quixalot" not in s] == sheets(now[page]) and len(sheets(now[page])) == 5, "the others' sheets are as they were")
lib.check(now[page].endswith(b"</body></html>\n"), "and the file is whole")
engine(all_of_it, AFTER, WEEK_AFTER)
lib.check(not trace(all_of_it) and not withdrawals(all_of_it), "what reached nobody is not withdrawn; nothing comes after")
for i in range(5):
    forget(all_of_it, f"P{i}")
lib.check(not spool(all_of_it), f"with the last sheet its file goes: {list(spool(all_of_it))}")
lib.check(lib.nudge("status", "--deep", state=all_of_it).returncode == 0, "sound")

# ---- an invitation that was taken out of the spool has arrived somewhere: it is withdrawn ----
taken = copy("taken", sent)
for n in mine:
    if n.endswith(".ics"):
        os.unlink(f"{taken}/{n}")
forget(taken)
engine(taken, AFTER, LATER)
lib.check(len(withdrawals(taken)) == 1 and CANARY["email"].encode() in spool(taken)[withdrawals(taken)[0]], "it is withdrawn")
lib.check({os.path.relpath(f, taken) for f in trace(taken)} == set(withdrawals(taken)), "and nothing else names them")

# ---- erased while it is being written: at each of the files that are written in that tick ----
calls = os.path.join(lib.scratch, "trace")
whole = copy("traced", start)
engine(whole, DAY, AFTER, before=("strace", "-f", "-qq", "-o", calls, "-e", "trace=rename"))
names = [l for l in open(calls).read().splitlines() if "rename(" in l]
lib.check(len(names) >= 19, f"{len(names)} files are named")
mine_at = [k for k, l in enumerate(names) if "/spool/" in l]
for k in sorted({mine_at[0], mine_at[len(mine_at) // 3], mine_at[2 * len(mine_at) // 3], mine_at[-2], mine_at[-1]}):
    state = copy(f"during-{k}", start)
    writing = subprocess.Popen(["strace", "-f", "-qq", "-o", calls, "-e", "trace=rename", "-e", f"inject=rename:delay_enter=1200000:when={k + 1}",
                                ENGINE, state, base, "0", DAY, AFTER], env={**os.environ, "DURABLE": "1"},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while len([n for n in glob.glob(f"{state}/spool/*/*") if not n.endswith(".new")]) < sum("/spool/" in l for l in names[:k]) and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.3)
    forget(state)
    lib.check(writing.wait(60) == 0, f"erased at file {k}: the engine goes on")
    engine(state, AFTER, LATER)
    left = [f for f in trace(state) if os.path.relpath(f, state) not in withdrawals(state)]
    lib.check(not left, f"erased at file {k}: nowhere but in a withdrawal: {left}")
    lib.check(len(sheets(b"".join(b for n, b in spool(state).items() if n.endswith(".html")))) == 5, f"erased at file {k}: the others' sheets are there")
    lib.check(lib.nudge("status", "--deep", state=state).returncode == 0, f"erased at file {k}: sound")
lib.finish("erasure")
