"""A thousand hostile names: as text through every channel, or refused at import; other programs' parsers judge."""
import email
import email.policy
import glob
import html
import json
import os
import re
import random
import subprocess

import html5lib
import icalendar
import vobject

import lib

draw = random.Random(11)
PIECES = ["O'Brien; DROP TABLE person;--", "<b>", "</a>", "<script>alert(1)</script>", "{{x}}", "{{{x}}}", "**x**",
          "[a](http://x)", "\u202eevil", "\u200bzero", "😀👩‍⚕️", "José", "Nguyễn", "=?utf-8?B?x?=", "\"quoted\"",
          "a,b;c", "back\\slash", "\\n", "&amp;", "<!channel>", "@here", "<@U123|x>", "BEGIN:VEVENT", "^n", "%0d%0a",
          "$(id)", "`x`", "# x", "</p><img src=x onerror=alert(1)>", "{{#x}}", "\ue000\ue001", "שלום", "x" * 90, "_x_",
          "--=_a", "END:VCALENDAR", "'; --", "<!--", "-->", "]]>", "\u2067x", "\ufeffx", "𝒜", "e\u0301"]
BAD = ["line\r\nBcc: x@y.example", "tab\there\n", "nul\x01", "x" * 300, "", "ls\u2028x"]
HEADER = "id,name,first_name,email,team,language,role,chat\n"
names = ["".join(draw.choice(PIECES) + " " for _ in range(draw.randint(1, 4))).strip() for _ in range(1000)]
UNSAFE = dict.fromkeys([*range(0x200b, 0x2010), *range(0x202a, 0x202f), *range(0x2060, 0x206a), 0xfeff, 0xad])
quoted = lambda s: '"' + s.replace('"', '""') + '"'


def row(i, name):
    return f'H{i:04},{quoted(name)},{quoted(name)},h{i}@zorg.example,t1,nl,employee,@h{i}\n'


def write(path, text, **more):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="", **more) as out:
        out.write(text)


state = os.path.join(lib.scratch, "state")
csv = os.path.join(lib.scratch, "names.csv")
for bad in BAD:
    write(csv, HEADER + row(0, "Good") + row(1, bad))
    got = lib.nudge("people", "import", csv, state=state, ok=(1,))
    lib.check(b":3:7:" in got.stderr, f"{bad!r} is refused with its place: {got.stderr!r}")
for bad in ("a@b@c.example", "a b@c.example", "<a@c.example>", '"a"@c.example', "a@c", "a@c.example,b@c.example", "a\n@c.example"):
    write(csv, f"id,name,email,team\nH1,Good,{quoted(bad)},t1\n")
    got = lib.nudge("people", "import", csv, state=state, ok=(1,))
    lib.check(b":2:9:" in got.stderr, f"{bad!r} is refused with its place: {got.stderr!r}")

# one text that shows the name wherever a name can stand, on all channels together
rules = os.path.join(lib.scratch, "rules")
write(f"{rules}/house.yaml", """languages: [nl]
time_zone: Europe/Amsterdam
angles: [health]
messengers: { hr: { name: Team HR, reply_to: hr@zorg.example } }
approvals: [hr]
""")
write(f"{rules}/campaigns/names/campaign.yaml", """title: { nl: Namen }
hook: { nl: Hallo }
audience: { role: employee }
rhythm: { every: 1 week, times: 1 }
channels: { together: [email, chat, calendar, print] }
answers: { yes: { is: done } }
""")
write(f"{rules}/campaigns/names/messages/all.nl.md", """---
angle: health
frame: gain
functions: [enable]
event: { start: +2 days 12:30, length: 30 minutes, place: Hal, alarm: 10 minutes }
---
# Dag {{first_name}}!

Van **{{name}}** tot [ja {{name}}]({{answer.yes}}).

- Lijst: {{name}}

> Citaat: `{{name}}`

{{#first_name}}Sectie {{first_name}} einde.{{/first_name}}

Nummer {{id}} punt.
""")
write(csv, HEADER + "".join(row(i, name) for i, name in enumerate(names)))
lib.nudge("people", "import", csv, state=state)
run = lib.nudge("schedule", "names", "--start", "2026-10-05", rules=rules, state=state).stdout.decode().strip()
lib.nudge("approve", run, "--as", "hr", rules=rules, state=state)
out = os.path.join(lib.scratch, "out")
hour = os.path.join(lib.scratch, "hour.yaml")
write(hour, "print_at: 16:00\n")
lib.nudge("--config", hour, "simulate", "--from", "2026-10-05", "--to", "2026-10-06", "--out", out, rules=rules, state=state)
files = {kind: sorted(glob.glob(f"{out}/spool/*/*.{kind}")) for kind in ("eml", "json", "ics")}
lib.check(all(len(v) == len(names) for v in files.values()), f"a file for each name and channel: { {k: len(v) for k, v in files.items()} }")

shown = lambda i: " ".join(names[i].translate(UNSAFE).split())
flat = lambda s: " ".join(s.split())
parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
shape = {}


def whose(text):
    return int(text.split("Nummer H")[1][:4])


def says(where, text, i, mark=lambda s: s):
    """Every place of the text that shows the name shows it whole."""
    text, name = flat(text), mark(shown(i))
    for sentence in (f"Van {name} tot", f"Lijst: {name}", f"Citaat: {name}", f"Sectie {shown(i)} einde."):
        lib.check(sentence in text, f"{where} {i}: {sentence[:80]!r} is not in {text[:200]!r}")


def check_page(where, page, i):
    tree = parser.parse(page)
    elements = [e.tag for e in tree.iter() if isinstance(e.tag, str)]
    lib.check(elements == shape.setdefault(where, elements), f"{where} {i}: a name made an element: {elements}")
    lib.check(all(not a.startswith("on") for e in tree.iter() for a in e.attrib), f"{where} {i}: no handler")
    says(where, "".join(tree.itertext()), i)


for path in files["eml"]:
    raw = open(path, "rb").read()
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    plain = mail.get_body(("plain",)).get_content()
    i = whose(plain)
    lib.check(all(len(l) <= 998 for l in raw.split(b"\r\n")) and b"\n" not in raw.replace(b"\r\n", b""), f"{i}: lines")
    lib.check(not mail.defects and len(mail["To"].addresses) == 1, f"{i}: one recipient in {mail['To']!r}")
    lib.check(mail["To"].addresses[0].addr_spec == f"h{i}@zorg.example", f"{i}: address")
    # Python 3.11's address parser keeps the blank between two encoded words (RFC 2047 6.2 drops it)
    name = mail["To"].addresses[0].display_name
    lib.check("".join(name.split()) == "".join(shown(i).split()), f"{i}: {name!r} is {shown(i)!r}")
    lib.check(mail["Bcc"] is None and flat(mail["Subject"]) == f"Dag {shown(i)}!", f"{i}: subject {mail['Subject']!r}")
    lib.check([p.get_content_type() for p in mail.walk() if not p.is_multipart()] == ["text/plain", "text/html"], f"{i}: parts")
    says("plain", plain, i)
    check_page("html", mail.get_body(("html",)).get_content(), i)
sheets = []
for path in sorted(glob.glob(f"{out}/spool/print/*/*.html")):
    page = open(path, encoding="utf-8").read()
    tree = parser.parse(page)
    tags = [e.tag for e in tree.findall("body/*")]
    lib.check(tags == ["div"] + ["section"] * (len(tags) - 1) and 1 < len(tags) <= 101,
              f"{path}: up to a hundred sheets below their cover: {tags}")
    sheets += re.findall(r'<section class="sheet.*?</section>', page, re.S)
lib.check(len(sheets) == len(names), f"a sheet for each name: {len(sheets)}")
for sheet in sheets:
    check_page("print", sheet, whose(sheet))
for path in files["json"]:
    chat = json.load(open(path, encoding="utf-8"))
    # every run of the text is a plain field: only its style and address make it more than text
    runs = chat["blocks"][1]["elements"][0]["elements"]
    body = "".join(r["text"] for r in runs)
    i = whose(body)
    safe = html.escape(shown(i), quote=False)
    lib.check([b["type"] for b in chat["blocks"]] == ["header", "rich_text", "actions", "context"], f"chat {i}: its blocks")
    lib.check(flat(chat["text"]).startswith(f"Dag {safe}!"[:140]), f"chat {i}: {chat['text']!r}")
    # 150 characters a header, as the format says
    lib.check(flat(chat["blocks"][0]["text"]["text"]).startswith(f"Dag {shown(i)}!"[:140]), f"chat {i}: header")
    lib.check([flat(r["text"]) for r in runs if r["type"] == "link"] == [f"ja {shown(i)}"] and
              [flat(r["text"]) for r in runs if "style" in r] == [shown(i)], f"chat {i}: the only markup is the author's: {runs!r}")
    says("chat", body, i)
listing = os.path.join(lib.scratch, "invites")
write(listing, "\n".join(files["ics"]))
judged = subprocess.run(["node", f"{lib.SRC}/tests/judges/invites.mjs", f"{os.environ['BUILD']}/judges", listing],
                        capture_output=True)
lib.check(judged.returncode == 0, f"ical.js reads every invite: {judged.stderr.decode()[-600:]}")
icaljs = {j["path"]: j for j in map(json.loads, judged.stdout.decode().splitlines())}
lib.check(len(icaljs) == len(names), "ical.js read every invite")
for path in files["ics"]:
    ics = open(path, "rb").read()
    event, = icalendar.Calendar.from_ical(ics).walk("VEVENT")
    other = vobject.readOne(ics.decode()).vevent
    js = icaljs.get(path, {})
    i = whose(str(event["DESCRIPTION"]))
    lib.check(all(len(l) <= 75 for l in ics.split(b"\r\n")) and b"\n" not in ics.replace(b"\r\n", b""), f"ics {i}: folded")
    for judge, summary, about, who in (
            ("icalendar", str(event["SUMMARY"]), str(event["DESCRIPTION"]), [str(event["ATTENDEE"])]),
            ("vobject", other.summary.value, other.description.value, [other.attendee.value]),
            ("ical.js", js.get("summary", ""), js.get("description", ""), js.get("attendees"))):
        if judge == "icalendar" and "\\n" in shown(i):
            continue  # it reads an escaped backslash before an n as the end of a line, against RFC 5545 3.3.11
        lib.check(flat(summary) == f"Dag {shown(i)}!", f"{judge} {i}: {summary!r}")
        lib.check(who == [f"mailto:h{i}@zorg.example"], f"{judge} {i}: one attendee, {who}")
        says(judge, about, i)
    lib.check((js.get("events"), js.get("alarms"), js.get("method"), js.get("start"), js.get("offset")) ==
              (1, 1, "REQUEST", "2026-10-07T12:30:00", 7200), f"ical.js {i}: {js}")
print(len(names), "names through every channel")
lib.finish("hostile names")
