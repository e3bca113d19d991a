"""What the command says when people make mistakes: exit codes 0, 1, 2, 3 and a sentence that helps."""
import json
import os
import pty
import re
import shutil
import subprocess

import jsonschema
import yaml

import lib

state = os.path.join(lib.scratch, "state")
demo = f"{lib.SRC}/config/demo"


def says(code, words, *args, rules=lib.RULES, where="stderr"):
    got = lib.nudge(*args, rules=rules, state=state, ok=(0, 1, 2, 3))
    text = getattr(got, where).decode()
    lib.check(got.returncode == code, f"{args}: exit {got.returncode}, not {code}: {got.stderr[-300:]}")
    lib.check(all(w in text for w in words), f"{args} says {words}: {text[-300:]!r}")
    return got.stdout.decode()


def roster(text):
    path = os.path.join(lib.scratch, "roster.csv")
    open(path, "w", encoding="utf-8").write(text)
    return path


# --help of everything, on stdout; a wrong option is a usage error
top = lib.nudge("--help").stdout.decode()
commands = re.findall(r"^  ([a-z-]+) ", top, re.M)
lib.check(len(commands) >= 21, f"all commands are listed: {commands}")
for command in commands:
    says(0, ["usage: nudge " + command], command, "--help", where="stdout")
    says(2, ["--nonsense"], command, "--nonsense")
says(2, ["no command 'chek'"], "chek")

# the roster: every mistake in one go, with its place
got = lib.nudge("people", "import", roster("id,name,email,team,first_nam,time_zone,manager\n3,Carl,carl@x.example,a,,,\n"
                "3,Dee,d@x.example,a,,,\n4,,e@x.example,a,,,\n5,Fay,fay-at-x,a,,Europe/Amsterdm,\n6,Gus,carl@x.example,a,,,77\n"),
                state=state, ok=(1,)).stderr.decode()
for place, word in (("1:20", "did you mean 'first_name'"), ("3:1", "this id is already in line 2"), ("4:3", "name is empty"),
                    ("5:7", "one @"), ("5:19", "Europe/Amsterdam"), ("6:1", "already in line 2"), ("6:1", "'77'")):
    lib.check(any(f".csv:{place}: " in line and word in line for line in got.splitlines()), f"{place} {word}: {got}")
lib.check("6 mistakes; nothing was changed" in got, f"counted: {got}")
lib.check(lib.nudge("people", "list", state=state).stdout.decode().count("\n") == 1, "nothing was imported")
says(3, ["does not exist"], "people", "import", "/nonexistent.csv")
lib.nudge("people", "import", f"{demo}/people.csv", "--teams", f"{demo}/teams.csv", state=state)

# names that are nearly right
says(1, ["did you mean 'bravo-week'"], "schedule", "bravo-wek", "--start", "2026-12-01")
says(1, ["did you mean 'bravo-week'"], "when", "bravo-wek", "--start", "2026-12-01")
says(1, ["did you mean 'bravo-week'"], "preview", "bravo-wek/lunch-walk")
says(1, ["did you mean 'bravo-week'"], "plan", "--campaign", "bravo-wek")
says(1, ["no person 'NOPE'"], "plan", "--person", "NOPE")
says(1, ["lunch-walk"], "preview", "bravo-week/lunch-wlk")
says(1, ["no event"], "preview", "bravo-week/choose-workshop", "--as", "ics")
says(0, ["did you mean 'questionnaire.finished'"], "event", "E0040", "questionnaire.finshed")
says(1, ["column 'tem'"], "schedule", "bravo-week", "--start", "2026-12-01", "--audience", "tem=noord")
says(2, ["--to lies before --from"], "plan", "--from", "2027-01-02", "--to", "2027-01-01")
says(2, ["--to lies before --from"], "simulate", "--from", "2027-01-02", "--to", "2027-01-01")
says(2, ["expected CAMPAIGN/MESSAGE"], "preview", "bravo-week")
for order in (["--start", "tomorrow"], ["--start", "2026-12-01", "--every", "fortnight"], [],
              ["--start", "2026-12-01", "--until", "2026-11-01"], ["--start", "2026-12-01", "--audience", "noord"]):
    says(2, ["wants"], "schedule", "bravo-week", *order)
says(3, ["/nonexistent"], "check", "/nonexistent")

# rules from elsewhere speak the person's language too
shutil.copytree(lib.RULES, os.path.join(lib.scratch, "elsewhere", "rules"))
small = lib.nudge("preview", "bravo-week/lunch-walk", "--as", "text", rules=os.path.join(lib.scratch, "elsewhere", "rules")).stdout.decode()
folder, near = os.path.dirname(os.path.realpath(lib.NUDGE)), False
for _ in range(4):
    near, folder = near or os.path.isdir(f"{folder}/config/words"), os.path.dirname(folder)
lib.check(("We bewaren welke berichten je kreeg" if near else "We keep which messages you got") in small, f"the small print is whole: {small[-300:]}")

# a run from the first word to the last
run = says(0, ["people; to sign"], "schedule", "bravo-week", "--start", "2026-12-01", "--audience", "team=noord").strip()
lib.check(run == "bravo-week-2026-12-01", f"stdout is the id alone: {run}")
says(1, ["approvals of house.yaml"], "approve", run, "--as", "boss")
says(0, ["still to sign: works-council"], "approve", run, "--as", "hr", where="stdout")
says(0, ["Nothing goes out between 2026-12-01 and 2026-12-03"], "plan", "--from", "2026-12-01", "--to", "2026-12-03")
says(0, ["approved"], "approve", run, "--as", "works-council", where="stdout")
plan = says(0, [], "plan", "--from", "2026-12-01", "--to", "2026-12-01", "--format", "json")
lines = [json.loads(line) for line in plan.splitlines()]
lib.check(lines and all(line["time"].startswith("2026-12-01") for line in lines), "a date alone after --to is the whole day")
lib.check({"time", "person", "run", "campaign", "occurrence", "verdict", "message", "angle", "frame", "channel", "messenger",
           "language", "subject", "reasons", "probability"} <= set(next(l for l in lines if l["verdict"] == "send")), "all keys of the contract")
says(0, [run + ": paused"], "pause", run, where="stdout")
says(1, ["does not allow"], "pause", run)
says(0, [run + ": approved"], "resume", run, where="stdout")
says(1, ["not an answer of bravo-week", "did you mean 'yes'?"], "answer", "E0040", run, "yess")
says(1, ["not an answer of bravo-week", "did you mean 'stop'?"], "answer", "E0040", run, "stopp")
says(1, ["'quatsch' is not an answer of bravo-week\n"], "answer", "E0040", run, "quatsch")
says(0, [run + ": cancelled"], "cancel", run, where="stdout")
says(1, ["does not allow"], "resume", run)

# the schema is one, takes every shipped campaign and refuses what the loader refuses
schema = json.loads(says(0, [], "schema"))
jsonschema.Draft202012Validator.check_schema(schema)


class Words(yaml.SafeLoader):
    """Plain words stay what the author wrote, as nudge reads them; only numbers and true, false are more."""


Words.yaml_implicit_resolvers = {}
for pattern, tag, first in ((r"^-?\d+(\.\d+)?$", "int", "-0123456789"), (r"^(true|false)$", "bool", "tf")):
    Words.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), list(first))
checker = jsonschema.Draft202012Validator(schema)
for campaign in sorted(os.listdir(f"{lib.RULES}/campaigns")):
    data = yaml.load(open(f"{lib.RULES}/campaigns/{campaign}/campaign.yaml", encoding="utf-8"), Words)
    lib.check(not list(checker.iter_errors(data)), f"the schema takes {campaign}: {[e.message for e in checker.iter_errors(data)][:3]}")
    for key, value in (("channels", {"together": ["email", "chat"]}), ("channels", "email"), ("vary", "angle"),
                       ("rhythm", {"every": "1 week", "on": "monday"})):
        lib.check(not list(checker.iter_errors(dict(data, **{key: value}))), f"the schema takes {key}: {value}")
    for key, value in (("priorty", 5), ("priority", "high"), ("channels", {"emial": 1}), ("channels", ["emial"]),
                       ("rhythm", {"on": ["thrusday"]}), ("rhythm", {"on": "thrusday"}), ("vary", ["mesage"]),
                       ("answers", {"yes": {"tanks": "x"}}), ("trial", {"learn": "colour"})):
        lib.check(list(checker.iter_errors(dict(data, **{key: value}))), f"the schema refuses {key}: {value}")

# colours and progress on a terminal only, and never with NO_COLOR
bad = os.path.join(lib.scratch, "bad")
os.makedirs(f"{bad}/campaigns")
open(f"{bad}/house.yaml", "w").write("langages: [nl]\n")


def on_terminal(*args, **environment):
    leader, follower = pty.openpty()
    subprocess.run([lib.NUDGE, "--rules", lib.RULES, "--state", state, *args], stdout=follower, stderr=follower,
                   env=dict(os.environ, TERM="xterm", **environment))
    os.close(follower)
    out = b""
    try:
        while True:
            out += os.read(leader, 65536)
    except OSError:
        pass
    os.close(leader)
    return out


os.environ.pop("NO_COLOR", None)
lib.check(b"\x1b[" in on_terminal("check", bad), "errors are coloured on a terminal")
lib.check(b"\x1b[" not in on_terminal("check", bad, NO_COLOR="1"), "and not with NO_COLOR")
lib.check(b"\x1b[" not in lib.nudge("check", bad, ok=(1,)).stdout, "nor into a pipe")
lib.check(b" %" in on_terminal("simulate", "--from", "2026-12-01", "--to", "2027-03-01", "--format", "json"), "a progress bar on a terminal")
piped = lib.nudge("simulate", "--from", "2026-12-01", "--to", "2027-03-01", state=state)
lib.check(b" %" not in piped.stderr and b"\r" not in piped.stderr, "and none into a pipe")
lib.finish("commands")
