"""Every class of form error: file, line, column, caret, suggestion; all in one go."""
import json
import os
import re
import shutil

import lib

base = os.path.join(lib.scratch, "rules")


def broken(code, line_column, words, **files):
    """Copy the rule base, put files over it, and look for one finding."""
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(lib.RULES, base, symlinks=True)
    for name, change in files.items():
        path = os.path.join(base, name.replace("__", "/").replace("_DOT_", ".").replace("_D_", "-"))
        if callable(change):
            text = open(path, encoding="utf-8").read()
            new = change(text)
            assert new != text, name
            open(path, "w", encoding="utf-8").write(new)
        elif change is None:
            os.remove(path)
        elif isinstance(change, bytes):
            open(path, "wb").write(change)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if change.startswith("->"):
                if os.path.exists(path):
                    os.remove(path)
                os.symlink(change[2:], path)
            else:
                open(path, "w", encoding="utf-8").write(change)
    out = lib.nudge("check", base, ok=(1,)).stdout.decode()
    found = [json.loads(x) for x in lib.nudge("check", base, "--format", "json", ok=(1,)).stdout.decode().splitlines()]
    mine = [f for f in found if f["code"] == code]
    lib.check(mine, f"{code} is found: {out[:400]}")
    if mine:
        at = f"{mine[0]['line']}:{mine[0]['column']}"
        lib.check(line_column in (None, at), f"{code} stands at {line_column}, told {at}: {mine[0]['text']}")
        lib.check(all(w in mine[0]["text"] for w in words), f"{code} says {words}: {mine[0]['text']}")
        # what to do: a word to write instead, or an imperative after the mistake
        lib.check(re.search(r"did you mean|known:|expected|; |: (write|add|put|keep)|leads? to|put the", mine[0]["text"]),
                  f"{code} suggests: {mine[0]['text']}")
    lib.check(f"error[{code}]" in out and ("^" in out or None in files.values()), f"{code} with a caret")
    return found


B = "campaigns__bravo_D_week__campaign_DOT_yaml"
M = "campaigns__bravo_D_week__messages__lunch_D_walk_DOT_nl_DOT_md"
broken("E001", "3:7", ["never closed"], **{B: "title: x\nhook: y\nlogo: \"apple\naim: 1\n"})
broken("E001", "1:4", ["UTF-8"], **{B: b"ab\xc3\xa9\xff\n"[:2] + b"c\xff\n"})
broken("E001", None, ["aliases"], **{B: lambda t: t + "\nignore: *x\n"})
broken("E002", None, ["rhythm"], **{B: lambda t: t.replace("rhythm:", "rythm:")})
broken("E003", None, ["number"], **{B: lambda t: t.replace("priority: 5", "priority: high")})
broken("E004", None, ["gain"], **{M: lambda t: t.replace("frame: gain", "frame: gian")})
broken("E005", None, ["line"], **{B: lambda t: t.replace("priority: 5", "priority: 5\npriority: 6")})
broken("E006", "9:3", ["first_name"], **{M: lambda t: t.replace("{{first_name}}", "{{frist_name}}")})
broken("E006", None, ["answer.yes"], **{M: lambda t: t.replace("{{answer.yes}}", "{{answer.yse}}")})
broken("E007", None, ["closed"], **{M: lambda t: t.replace("{{first_name}}", "{{#first_name}}")})
broken("E008", None, ["https"], **{M: lambda t: t.replace("({{answer.yes}})", "(http://x.example)")})
for address in ("https://zorg.example@evil.example", "https://zorg.example@evil.example/x", "https://zorg.example\\@evil.example",
                "https://zorg.example@evil.example?a=b"):
    broken("E008", None, ["https"], **{M: lambda t, address=address: t.replace("({{answer.yes}})", f"({address})")})
broken("E009", None, ["health"], **{M: lambda t: t.replace("angle: health", "angle: helth")})
broken("E009", None, ["thanks-yes"], **{B: lambda t: t.replace("thanks: thanks-yes", "thanks: thanks-yess")})
broken("E009", None, ["holidays"], **{"holidays_D_nl_DOT_ics": None})
broken("E009", "6:11", ["did you mean 'apple.png'"], **{B: lambda t: t.replace("apple.png", "aple.png")})
broken("E004", None, ["known: gain, loss"], **{M: lambda t: t.replace("frame: gain", "frame: something")})
broken("E004", None, ["not in this version", "unit: person"], **{B: lambda t: "unit: team\n" + t})
for later, instead in (("phases", "a campaign for each phase"), ("waves", "a campaign for each wave")):
    broken("E002", None, ["not in this version", instead], **{B: lambda t, later=later: later + ": []\n" + t})
broken("E010", None, ["link"], **{"campaigns__bravo_D_week__apple_DOT_png": "->/etc/hostname"})
broken("E010", None, ["out of"], **{B: lambda t: t.replace("logo:     apple.png", "logo: ../../../../etc/hostname")})
broken("E011", None, ["larger"], **{B: "#" * (2 << 20)})
broken("E011", None, ["deeper"], **{B: "title: " + "[" * 40 + "]" * 40 + "\n"})
broken("E012", None, ["never"], **{B: lambda t: t.replace("every: 2 weeks\n  on: [tuesday, thursday]", "rrule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31")})
broken("E012", None, ["15 minutes"], **{B: lambda t: t.replace("every: 2 weeks\n  on: [tuesday, thursday]", "every: 5 minutes")})
broken("E013", None, ["minute", "08:00-18:00"], **{B: lambda t: t.replace("09:30-11:30", "19:30-23:30")})
O = "campaigns__bravo_D_week__messages__"
broken("E014", None, ["add a text"], **{B: lambda t: t.replace("role: employee", "role: [employee, volunteer]"),
       **{O + m.replace("-", "_D_") + "_DOT_nl_DOT_md": lambda t: t.replace("---\n", "---\nfor: { role: employee }\n", 1)
          for m in ("lunch-walk", "choose-workshop", "fit-at-home", "back-tomorrow", "new-skill", "fruit-together",
                    "your-own-pace", "healthy-career")}})
broken("E015", None, ["differ"], **{M.replace("_nl_", "_en_"): lambda t: "---\nangle: mobility\n---\n" + t})

# every mistake of every file in one go, each in its place, and no others that only follow from them
T = "campaigns__yearly_D_talk__messages__three_D_questions_DOT_nl_DOT_md"


def changes(*pairs):
    def change(text):
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new, 1)
        return text
    return change


def spot(name, word):
    """file:line:column of a word in the broken rule base."""
    for number, line in enumerate(open(os.path.join(base, name), encoding="utf-8"), 1):
        if word in line:
            return f"{base}/{name}", number, line.index(word) + 1
    raise SystemExit(f"{word} is not in {name}")


many = broken("E002", None, [], **{
    B: changes(("priority: 5", "priorty: 5"), ("times: 6", "times: six"), ("every: 2 weeks", "every: 2 wekks"),
               ("thursday", "thrusday"), ("email: 2", "emial: 2"), ("thanks: thanks-yes", "thanks: thank-yes")),
    M: changes(("{{first_name}}", "{{frist_name}}"), ("frame: gain", "frame: gian"), ("answer.yes", "answer.yse")),
    T: changes(("angle: health", "angle: helth")),
    "house_DOT_yaml": changes(("Europe/Amsterdam", "Europe/Amsterdm"), ("18:00-08:00", "18:00-25:00"), ("budget:", "budgte:"))})
campaign, walk = "campaigns/bravo-week/campaign.yaml", "campaigns/bravo-week/messages/lunch-walk.nl.md"
wanted = {spot(name, word) + (code,) for name, word, code in (
    (campaign, "priorty", "E002"), (campaign, "six ", "E003"), (campaign, "2 wekks", "E003"), (campaign, "thrusday", "E004"),
    (campaign, "emial", "E004"), (campaign, "thank-yes", "E009"), (walk, "{{frist_name", "E006"), (walk, "gian", "E004"),
    ("campaigns/yearly-talk/messages/three-questions.nl.md", "helth", "E009"),
    ("house.yaml", "Europe/Amsterdm", "E004"), ("house.yaml", "18:00-25:00", "E003"), ("house.yaml", "budgte", "E002"))}
told = {(f["file"], f["line"], f["column"], f["code"]) for f in many if "yse" not in f["text"]}
lib.check(told == wanted, f"all mistakes and no others: too many {sorted(told - wanted)}, missing {sorted(wanted - told)}")
lib.check(len(many) == len(wanted) + 1, f"and the answer that does not exist: {len(many)}")
for name, change, code, at_most in (
        ("house_DOT_yaml", lambda t: t + 'x: "open\n', "E001", 1), ("house_DOT_yaml", None, "E009", 1),
        ("house_DOT_yaml", changes(("languages:", "langages:")), "E002", 2),
        ("house_DOT_yaml", changes(("\nangles:", "\nangels:")), "E002", 2),
        ("house_DOT_yaml", changes(("\nmessengers:", "\nmesengers:")), "E002", 2),
        (B, lambda t: t + 'x: "open\n', "E001", 1), (B, changes(("\nanswers:", "\nanwsers:")), "E002", 2)):
    found = broken(code, None, [], **{name: change})
    lib.check(len(found) <= at_most, f"one mistake in {name} gives {len(found)} errors: {[f['text'] for f in found[:3]]}")
broken("E009", "35:31", ["offer-talk"], **{B: changes(("then: offer-talk", "then: offer-tlak"))})
shutil.rmtree(base)
lib.finish("errors")
