"""A thousand hostile names: as text through every channel, or refused at import."""
import email
import email.policy
import json
import os
import random

import html5lib
import icalendar
import vobject

import lib

draw = random.Random(11)
PIECES = ["O'Brien; DROP TABLE person;--", "<b>", "</a>", "<script>alert(1)</script>", "{{x}}", "{{{x}}}", "**x**",
          "[a](http://x)", "\u202eevil", "\u200bzero", "😀👩‍⚕️", "José", "Nguyễn", "=?utf-8?B?x?=", "\"quoted\"",
          "a,b;c", "back\\slash", "&amp;", "<!channel>", "@here", "BEGIN:VEVENT", "^n", "%0d%0a", "$(id)", "`x`"]
BAD = ["line\r\nBcc: x@y.example", "tab\there\n", "nul\x01", "x" * 300, "", "ls\u2028x"]
names = ["".join(draw.choice(PIECES) + " " for _ in range(draw.randint(1, 4))).strip() for _ in range(1000)]


def row(i, name):
    return f'H{i},"{name.replace(chr(34), chr(34) * 2)}",h{i}@zorg.example,t1,nl,employee\n'


state = os.path.join(lib.scratch, "state")
csv = os.path.join(lib.scratch, "names.csv")
for i, bad in enumerate(BAD):
    open(csv, "w", encoding="utf-8", newline="").write("id,name,email,team,language,role\n" + row(0, "Good") + row(1, bad))
    got = lib.nudge("people", "import", csv, state=state, ok=(1,))
    lib.check(b":3:4:" in got.stderr, f"{bad!r} is refused with its place: {got.stderr!r}")
for bad in ("a@b@c.example", "a b@c.example", "<a@c.example>", '"a"@c.example', "a@c", "a@c.example,b@c.example", "a\n@c.example"):
    open(csv, "w", encoding="utf-8", newline="").write("id,name,email,team\n" + f'H1,Good,"{bad.replace(chr(34), chr(34) * 2)}",t1\n')
    got = lib.nudge("people", "import", csv, state=state, ok=(1,))
    lib.check(b":2:9:" in got.stderr, f"{bad!r} is refused with its place: {got.stderr!r}")
open(csv, "w", encoding="utf-8", newline="").write(
    "id,name,email,team,language,role\n" + "".join(row(i, name) for i, name in enumerate(names)))
lib.nudge("people", "import", csv, state=state)
UNSAFE = dict.fromkeys([*range(0x200b, 0x2010), *range(0x202a, 0x202f), *range(0x2060, 0x206a), 0xfeff, 0xad])
parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
sample = draw.sample(range(1000), int(os.environ.get("NAMES", "250")))
for i in sample:
    shown = names[i].translate(UNSAFE)
    preview = lambda *a: lib.nudge("preview", "bravo-week/lunch-walk", "--person", f"H{i}", *a, state=state).stdout
    raw = preview("--as", "eml")
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    lib.check(all(len(l) <= 998 for l in raw.split(b"\r\n")) and b"\n" not in raw.replace(b"\r\n", b""), f"{i}: lines")
    lib.check(not mail.defects and len(mail["To"].addresses) == 1, f"{i}: one recipient in {mail['To']!r}")
    lib.check(mail["To"].addresses[0].addr_spec == f"h{i}@zorg.example", f"{i}: address")
    # Python 3.11's address parser keeps the blank between two encoded words (RFC 2047 6.2 drops it)
    name = mail["To"].addresses[0].display_name
    lib.check("".join(name.split()) == "".join(shown.split()), f"{i}: {name!r} is {shown!r}")
    lib.check(mail["Bcc"] is None and mail["Subject"].split()[0].rstrip(",") == shown.split()[0].rstrip(","), f"{i}: subject {mail['Subject']!r}")
    html = mail.get_body(("html",)).get_content()
    first = shown.split()[0]
    tree = parser.parse(html)
    lib.check(tree.find(".//script") is None and tree.find(".//b") is None, f"{i}: no element of a name's")
    lib.check(first in "".join(tree.itertext()), f"{i}: {first!r} is in the text")
    lib.check(first in mail.get_body(("plain",)).get_content(), f"{i}: {first!r} in the plain part")
    ics = preview("--as", "ics")
    calendar = icalendar.Calendar.from_ical(ics)
    events = list(calendar.walk("VEVENT"))
    lib.check(len(events) == 1 and str(events[0]["ATTENDEE"]).lower() == f"mailto:h{i}@zorg.example", f"{i}: one event")
    lib.check(first in str(events[0]["SUMMARY"]), f"{i}: {events[0]['SUMMARY']!r}")
    lib.check(first in vobject.readOne(ics.decode()).vevent.summary.value, f"{i}: vobject")
    lib.check(all(len(l) <= 75 for l in ics.split(b"\r\n")), f"{i}: folded")
    chat = json.loads(preview("--as", "json"))
    lib.check(first in chat["text"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"), f"{i}: {chat['text']!r}")
    lib.check("<!channel>" not in chat["text"], f"{i}: nobody is called")
print(len(sample), "names through every channel")
lib.finish("hostile names")
