"""Every chat format of every message, and of a hundred hostile names, read by other people's parsers."""
import glob
import html
import json
import os
import random
import re
import subprocess
import urllib.parse

import html5lib
import markdown
import yaml

import lib

FORMATS = ["slack", "mattermost", "rocketchat", "teams", "discord", "googlechat", "matrix", "zulip", "ntfy", "generic"]
JUDGES = os.path.join(os.environ["BUILD"], "judges")
words = {l: yaml.safe_load(open(f"{lib.SRC}/config/words/{l}.yaml", encoding="utf-8")) for l in ("nl", "en")}
flat = lambda s: " ".join(s.split())


def preview(name, form, *more, **where):
    out = lib.nudge("preview", name, "--as", "json", "--format", form, *more, **where).stdout.decode()
    if form != "zulip":
        return json.loads(out, object_pairs_hook=unique)
    fields = urllib.parse.parse_qsl(out, strict_parsing=True, keep_blank_values=True)
    lib.check(len(dict(fields)) == len(fields), f"{name}: a field of the form stands twice")
    return dict(fields)


def unique(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a member stands twice")
    return dict(pairs)


def strings(value):
    if isinstance(value, str):
        yield value
    for v in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(v)


def main_text(form, m):
    """The field whose text is in the format's own markup."""
    return {"mattermost": "text", "rocketchat": "text", "discord": "content", "matrix": "formatted_body", "zulip": "content",
            "ntfy": "message"}.get(form) and m[{"mattermost": "text", "rocketchat": "text", "discord": "content",
                                               "matrix": "formatted_body", "zulip": "content", "ntfy": "message"}[form]]


def check_slack(where, m):
    lib.check(len(m["blocks"]) <= 50 and len(json.dumps(m, ensure_ascii=False).encode()) <= 13000, f"{where}: size")
    for b in m["blocks"]:
        if b["type"] == "header":
            lib.check(0 < len(b["text"]["text"]) <= 150, f"{where}: header")
        elif b["type"] == "actions":
            lib.check(all(len(e["text"]["text"]) <= 75 and len(e["url"]) <= 3000 for e in b["elements"]), f"{where}: buttons")
            lib.check(0 < len(b["elements"]) <= 25, f"{where}: number of buttons")
        elif b["type"] == "context":
            lib.check(0 < len(b["elements"]) <= 10 and all(0 < len(e["text"]) <= 2000 for e in b["elements"]), f"{where}: context")


def shown_text(form, m):
    """All a reader may see, escapes of any dialect taken back roughly."""
    return flat(html.unescape(re.sub(r"<[^>]*>|[*_`\\]", " ", "\n".join(strings(m)))))


# ---- every shipped message ----
slack, cards, seen = [], [], 0
for folder in sorted(glob.glob(f"{lib.RULES}/campaigns/*")):
    head = yaml.safe_load(open(f"{folder}/campaign.yaml", encoding="utf-8"))
    for path in sorted(glob.glob(f"{folder}/messages/*.nl.md")):
        name = f"{os.path.basename(folder)}/{os.path.basename(path).split('.')[0]}"
        answers = len(re.findall(r"\]\(\{\{answer\.", open(path, encoding="utf-8").read()))
        for form in FORMATS:
            m = preview(name, form, "--lang", "nl")
            where, text = f"{name} {form}", shown_text(form, m)
            loose = lambda s: flat(re.sub(r"[*_`\\]", " ", s))
            lib.check(loose(head["hook"]["nl"]) in text, f"{where}: the hook")
            for key in ("small-who", "small-why-you", "small-stored"):
                part = max(re.split(r"\{\w+\}", words["nl"][key]), key=len)
                lib.check(loose(part) in text, f"{where}: {key}")
            addresses = [a for s in strings(m) for a in re.findall(r"https://nudge\.invalid/[au]/[\w-]+", s)]
            lib.check(any("/u/" in a for a in addresses), f"{where}: how to stop")
            lib.check(len({a for a in addresses if "/a/" in a}) >= min(answers, 5), f"{where}: {answers} answers")
            if form == "slack":
                check_slack(where, m)
                slack.append(m["blocks"])
            elif form == "teams":
                cards.append(m)
            seen += 1
lib.check(seen >= 250, f"{seen} messages")

# ---- a hundred names ----
draw = random.Random(23)
PIECES = ["<b>", "</a>", "<script>x</script>", "{{x}}", "**x**", "*x*", "_x_", "__x__", "~~x~~", "`x`", "``", "[a](http://x.example)",
          "![a](http://x.example)", "<http://x.example>", "<!channel>", "<@U123>", "<@&12>", "@here", "@everyone", "@all", "@**all**",
          "@*group*", "@_**x**", "# x", "> x", "- x", "1. x", "1) x", "+ x", "||x||", "$$x$$", "\\", "\\*x*", "&amp;", "&#42;x&#42;",
          "\"q\"", "O'Brien", ":smile:", "~x~", "<t:0:R>", "<time:now>", "#**general**", "#room", "-# x", "---", "===", "|a|b|",
          "[x]: y", "](", "😀", "José", "%0d%0a", "$(id)", "https://evil.example/x", "```"]
names = PIECES + ["".join(draw.choice(PIECES) + draw.choice(["", " "]) for _ in range(draw.randint(2, 4))).strip()
                  for _ in range(100 - len(PIECES))]
rules = os.path.join(lib.scratch, "rules")
os.makedirs(f"{rules}/campaigns/names/messages")
open(f"{rules}/house.yaml", "w").write("languages: [nl]\ntime_zone: Europe/Amsterdam\nangles: [health]\n"
                                       "messengers: { hr: { name: Team HR, reply_to: hr@zorg.example } }\napprovals: [hr]\n")
open(f"{rules}/campaigns/names/campaign.yaml", "w").write(
    "title: { nl: Namen }\nhook: { nl: Hallo }\naudience: { role: employee }\nrhythm: { every: 1 week, times: 1 }\n"
    "channels: { chat: 1 }\nanswers: { yes: { is: done } }\n")
open(f"{rules}/campaigns/names/messages/all.nl.md", "w").write("""---
angle: health
frame: gain
functions: [enable]
---
# Dag {{first_name}} daar

{{first_name}}

Van **{{first_name}}** tot [ja {{first_name}}](https://zorg.example/x), *mooi*.
{{first_name}}

- Lijst: {{first_name}}
- {{first_name}}

[Ja]({{answer.yes}})
""")
state = os.path.join(lib.scratch, "state")
csv = os.path.join(lib.scratch, "names.csv")
quoted = lambda s: '"' + s.replace('"', '""') + '"'
with open(csv, "w", encoding="utf-8", newline="") as f:
    f.write("id,name,first_name,email,team,language,role,chat\n")
    for i, name in enumerate(["Sam"] + names):
        f.write(f"H{i},Sam,{quoted(name)},h{i}@zorg.example,t1,nl,employee,@h{i}\n")
lib.nudge("people", "import", csv, rules=rules, state=state)


def zulip_shape(text):
    """Python-Markdown as Zulip sets it up: no backslash, no HTML, no bold by underscores; mentions as its own pattern finds them."""
    called = re.findall(r"(?<![^\s'\"({\[/<])@_?(\*\*[^*]+\*\*|\*[^*]+\*)", text)
    md = markdown.Markdown(extensions=["nl2br", "tables"])
    for registry, gone in ((md.inlinePatterns, ("escape", "html", "autolink", "automail", "em_strong2", "reference", "short_reference")),
                           (md.preprocessors, ("html_block",)), (md.parser.blockprocessors, ("reference", "setextheader"))):
        for name in gone:
            if name in registry:
                registry.deregister(name)
    # "_" is no emphasis there: only what asterisks and tildes make counts
    tree = html5lib.parse(md.convert(text), treebuilder="etree", namespaceHTMLElements=False)
    return [e.tag for e in tree.iter() if e.tag != "code"] + called, "".join(tree.itertext())


def html_shape(text):
    tree = html5lib.parse(text, treebuilder="etree", namespaceHTMLElements=False)
    return [e.tag for e in tree.iter()], "".join(tree.itertext())


listing, shapes, kept = [], {}, {}
for i, name in enumerate(["Sam"] + names):
    for form in FORMATS:
        m = preview("names/all", form, "--person", f"H{i}", rules=rules, state=state)
        text = main_text(form, m)
        if form == "slack":
            check_slack(f"{name!r} slack", m)
            slack.append(m["blocks"])
        elif form == "teams":
            cards.append(m)
        elif form in ("rocketchat", "discord"):
            kept[form, i] = os.path.join(lib.scratch, f"{form}-{i}")
            open(kept[form, i], "w", encoding="utf-8").write(text)
            listing.append(f"{form} {kept[form, i]}")
        elif form in ("zulip", "matrix"):
            shape, words_shown = (zulip_shape if form == "zulip" else html_shape)(text)
            lib.check(shape == shapes.setdefault(form, shape), f"{form}: {name!r} became markup: {shape}\n{text}")
            lib.check(flat(words_shown).count(flat(name)) >= 6, f"{form}: {name!r} is shown as {words_shown[:200]!r}")

# ---- other people's parsers ----
broken = json.loads(json.dumps(cards[0]))
broken["attachments"][0]["content"]["body"][0]["type"] = "RichTextBlok"
for n, card in enumerate(cards + [broken]):
    path = os.path.join(lib.scratch, f"card-{n}")
    json.dump(card["attachments"][0]["content"], open(path, "w", encoding="utf-8"))
    lib.check(card["type"] == "message" and card["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive",
              f"card {n}: the envelope")
    listing.append(f"teams {path}")
lines = os.path.join(lib.scratch, "list")
open(lines, "w").write("\n".join(listing))
judged = subprocess.run(["node", f"{lib.SRC}/tests/judges/chats.mjs", JUDGES, lines], capture_output=True)
lib.check(judged.returncode == 0, f"the parsers ran: {judged.stderr.decode()[-800:]}")
verdicts = {v["path"]: v for v in map(json.loads, judged.stdout.decode().splitlines())}
lib.check(len(verdicts) == len(listing), "every text was read")
for (form, i), path in kept.items():
    v, name = verdicts.get(path, {}), (["Sam"] + names)[i]
    want = verdicts.get(kept[form, 0], {}).get("shape")
    lib.check(want and v.get("shape") == want, f"{form}: {name!r} became markup:\n{v.get('shape')}\n{want}\n{open(path).read()[:300]}")
    # full-width twins look like what they stand for
    text = "".join(chr(ord(c) - 0xfee0) if "！" <= c <= "～" else c for c in v.get("text", ""))
    lib.check(flat(text).count(flat(name)) >= 6, f"{form}: {name!r} is shown as {text[:200]!r}")
bad = verdicts.get(os.path.join(lib.scratch, f"card-{len(cards)}"), {})
lib.check(bad.get("defects"), "the judge of cards sees a defect")
for n in range(len(cards)):
    v = verdicts.get(os.path.join(lib.scratch, f"card-{n}"), {"defects": ["not read"]})
    lib.check(v["defects"] == [], f"card {n}: {v['defects']}")


def typed(blocks):
    path = os.path.join(JUDGES, f"slack-{os.getpid()}.ts")
    with open(path, "w", encoding="utf-8") as f:
        f.write("import type { KnownBlock } from '@slack/types';\nexport const all: KnownBlock[][] = " + json.dumps(blocks) + ";\n")
    got = subprocess.run(["node", f"{JUDGES}/node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--target", "es2020",
                          "--module", "commonjs", "--moduleResolution", "node", path], capture_output=True, text=True, cwd=JUDGES)
    os.unlink(path)
    return got


got = typed(slack)
lib.check(got.returncode == 0, f"@slack/types: {got.stdout[:600]}")
got = typed([[{"type": "header", "txt": "x"}]])
lib.check(got.returncode != 0, "the judge of blocks sees a defect")
print(seen, "messages,", len(names), "names,", len(cards), "cards,", len(slack), "lists of blocks")
lib.finish("chat formats")
