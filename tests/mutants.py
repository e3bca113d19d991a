"""Does the judge of the simulated year notice?  Takes one rule out of the engine at a time, builds it, and runs year.py.

usage: make -C build mutants        (about eight minutes; not part of make check)
       SRC=$PWD python3 tests/mutants.py "no gap" ...       some of them

Every mutant must be caught: a judge that lets one through proves nothing about the rule that it lacks.
"""
import os
import shutil
import subprocess
import sys
import tempfile

SRC = os.environ["SRC"]
MUTANTS = [
    ("no budget of a week", "daemon/plan/budget.c", "h->budget_week, SPAN_WEEK", "0, SPAN_WEEK"),
    ("no budget of a month", "daemon/plan/budget.c", "h->budget_month, SPAN_DAYS(30)", "0, SPAN_DAYS(30)"),
    ("no gap", "daemon/plan/budget.c", "window_full(s, 1, h->budget_gap", "window_full(s, 0, h->budget_gap"),
    ("a week of six days", "daemon/plan/budget.c", "SPAN_WEEK", "SPAN_DAYS(6)"),
    ("no quiet hours", "daemon/plan/rest.c", "if (r->quiet.from != r->quiet.to && ", "if (false && "),
    ("quiet hours end early", "daemon/plan/rest.c", "in_window(r->quiet.from, r->quiet.to, minute)", "in_window(r->quiet.from, r->quiet.to - 30, minute)"),
    ("no days off", "daemon/plan/rest.c", "(r->days_off & 1u << day_weekday(d)) != 0)", "false)"),
    ("no work days of their own", "daemon/plan/rest.c", "own->days != 0 ? !(own->days & 1u << day_weekday(d))", "own->days != 0 ? false"),
    ("no work hours of their own", "daemon/plan/rest.c", "own->from != own->to && !in_window", "false && !in_window"),
    ("no holidays", "daemon/plan/rest.c", "return holidays_has(r->holidays, d) ? REST_HOLIDAY : REST_NONE;", "return REST_NONE;"),
    ("no absence", "daemon/plan/rest.c", "(own->absent_set && d.n >= own->absent_from.n", "(false && d.n >= own->absent_from.n"),
    ("absence ends a day early", "daemon/plan/rest.c", "d.n <= own->absent_until.n", "d.n < own->absent_until.n"),
    ("everybody lives where the house stands", "daemon/engine/enrol.c", "p->time_zone[0] != '\\0' ? p->time_zone : e->rb->house.time_zone", "p != NULL ? e->rb->house.time_zone : NULL"),
    ("texts come back at once", "daemon/plan/vary.c", "a->history->uses[i] < s->fewest", "a->history->uses[i] > s->fewest"),
    ("always the first text", "daemon/plan/vary.c", "c->draw = dice_bits", "memset(c->key, 0, sizeof c->key); c->key[0] = c->message; c->draw = dice_bits"),
    ("two loss frames in a row", "daemon/plan/vary.c", "return m->frame == FRAME_LOSS &&", "return false && m->frame == FRAME_LOSS &&"),
    ("loss frames look at one campaign only", "daemon/plan/vary.c", "(h->last_frame == FRAME_LOSS || (h->n > 0 && h->contact[0].frame == FRAME_LOSS))", "(h->n > 0 && h->contact[0].frame == FRAME_LOSS)"),
    ("the angle stays", "daemon/plan/vary.c", "a->history->n > 0 && m->angle >= 0 && a->history->contact[0].angle == m->angle;", "0;"),
    ("the angle prefers to stay", "daemon/plan/vary.c", "a->history->contact[0].angle == m->angle;", "a->history->contact[0].angle != m->angle;"),
    ("the moment's tags are not read", "daemon/plan/vary.c", "!moment_fits(&m->when, a->history)", "false"),
    ("a chat message to who has no chat", "daemon/plan/vary.c", "bits &= a->channels_ok;", "bits &= ~0u;"),
    ("the audience is not read", "daemon/engine/enrol.c", "!p->left && audience_matches(&run->campaign->audience, p)", "!p->left"),
]


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, **more)


def main():
    scratch = tempfile.mkdtemp(prefix="nudged-mutants-")
    tree = os.path.join(scratch, "tree")
    shutil.copytree(SRC, tree, ignore=shutil.ignore_patterns("build", ".git", ".var", "autom4te.cache"))
    build = os.path.join(scratch, "build")
    os.makedirs(build)
    environment = dict(os.environ, NUDGE=f"{build}/nudge", SRC=tree, PEOPLE="1000")
    try:
        made = run(f"{tree}/configure", "--quiet", "CFLAGS=-O1", cwd=build)
        made = made if made.returncode else run("make", "-s", "nudge", cwd=build)
        if made.returncode:
            sys.exit("the copy does not build: " + made.stderr[-2000:])
        whole = run(sys.executable, f"{tree}/tests/system/year.py", "--once", env=environment)
        if whole.returncode:
            sys.exit("the engine as it is does not pass: " + whole.stdout[-2000:])
        missed, mutants = 0, [m for m in MUTANTS if not sys.argv[1:] or m[0] in sys.argv[1:]]
        for name, path, old, new in mutants:
            file = os.path.join(tree, path)
            text = open(file, encoding="utf-8").read()
            if old not in text:
                print(f"STALE   {name}: {path} no longer holds {old!r}")
                missed += 1
                continue
            open(file, "w", encoding="utf-8").write(text.replace(old, new))
            made = run("make", "-s", "nudge", cwd=build)
            judged = run(sys.executable, f"{tree}/tests/system/year.py", "--once", env=environment)
            open(file, "w", encoding="utf-8").write(text)
            caught = made.returncode == 0 and judged.returncode != 0 and "not true" in judged.stdout
            first = next((l for l in judged.stdout.splitlines() if l.startswith("not true")), "nothing noticed")
            print(f"{'caught ' if caught else 'MISSED '} {name}: {made.stderr[-300:] if made.returncode else first[:150]}", flush=True)
            missed += not caught
        print(f"{len(mutants)} mutants, {missed} missed")
        return 1 if missed else 0
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    sys.exit(main())
