"""Every shipped text in every channel: the hook, the small print, and nothing that is loaded from elsewhere."""
import email
import email.policy
import glob
import html
import json
import os
import re

import html5lib
import icalendar
import yaml

import lib

LINKS = "https://nudge.invalid/"
words = {l: yaml.safe_load(open(f"{lib.SRC}/config/words/{l}.yaml", encoding="utf-8")) for l in ("nl", "en")}
parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
REMOTE = re.compile(r"@import|url\(|http:|src=\"(?!data:image/png|cid:)", re.I)


def fixed(sentence):
    """The longest part of a sentence of config/words without a place for a value."""
    return max(re.split(r"\{\w+\}", sentence), key=len).strip()


def check_small(text, where, language, hook):
    flat = " ".join(text.split())
    lib.check(hook in flat, f"{where}: the hook comes back")
    for key in ("small-who", "small-why-you", "small-stored", "small-answers", "small-stop"):
        lib.check(fixed(words[language][key]) in flat, f"{where}: {key}")
    now = [key for key in words[language] if key.startswith("small-why-now") and fixed(words[language][key]) in flat]
    lib.check(len(now) == 1, f"{where}: one sentence says why now, not {now}")
    return now


def check_page(page, where, language):
    lib.check(not REMOTE.search(page), f"{where}: nothing is loaded")
    tree = parser.parse(page)
    lib.check(not parser.errors, f"{where}: {parser.errors[:2]}")
    lib.check(tree.get("lang") == language, f"{where}: lang")
    lib.check(len(list(tree.iter("img"))) == 1, f"{where}: the logo")
    for tag in ("script", "link", "form", "iframe", "object"):
        lib.check(tree.find(f".//{tag}") is None, f"{where}: no <{tag}>")
    for a in tree.iter("a"):
        lib.check(re.match(r"(https|mailto|tel):", a.get("href", "")), f"{where}: {a.get('href')}")
    lib.check(tree.find(".//table/tbody/tr/td/a[@class='b']") is not None or "thanks" in where,
              f"{where}: the ask is a button in a cell of its own")
    return "".join(tree.itertext())


def chat_text(block):
    """All that Slack shows of a block: texts in plain fields, and in mrkdwn."""
    if isinstance(block, list):
        return "\n".join(map(chat_text, block))
    text = block.get("text", block.get("elements", ""))
    if isinstance(text, str):
        return html.unescape(text) if block["type"] == "mrkdwn" else text
    return chat_text(text)


kinds = {"leave-hours": "small-why-now", "yearly-talk": "small-why-now-date", "welcome": "small-why-now-date",
         "quick-scan": "small-why-now-event"}
seen = 0
for folder in sorted(glob.glob(f"{lib.RULES}/campaigns/*")):
    campaign = os.path.basename(folder)
    head = yaml.safe_load(open(f"{folder}/campaign.yaml", encoding="utf-8"))
    for path in sorted(glob.glob(f"{folder}/messages/*.md")):
        message, language, _ = os.path.basename(path).rsplit(".", 2)
        name = f"{campaign}/{message}"
        look = lambda *a: lib.nudge("preview", name, "--lang", language, *a).stdout.decode()
        hook = head["hook"][language]
        now = check_small(check_page(look("--as", "html"), f"{name}.{language} page", language),
                          f"{name}.{language} page", language, hook)
        silent = message in str(head.get("unanswered"))
        follow = silent or any(message == a.get("thanks") for a in head["answers"].values())
        want = "small-why-now-silence" if silent else "small-why-now-answer" if follow else kinds.get(campaign, "small-why-now")
        lib.check(now == [want], f"{name}: why now is {now}, not {want}")
        check_small(look("--as", "text"), f"{name}.{language} text", language, hook)
        mail = email.message_from_string(look("--as", "eml"), policy=email.policy.default)
        check_small(check_page(mail.get_body(("html",)).get_content(), f"{name}.{language} mail", language),
                    f"{name}.{language} mail", language, hook)
        logos = [p for p in mail.walk() if p["Content-ID"] == "<logo>"]
        lib.check(len(logos) == 1 and logos[0].get_content()[1:4] == b"PNG", f"{name}: the logo is a picture that mail programs show")
        chat = json.loads(look("--as", "json"))
        check_small("\n".join(chat_text(b) for b in chat["blocks"] if b["type"] != "actions"), f"{name}.{language} chat", language, hook)
        if "\nevent:" in open(re.sub(r"\.\w\w\.md$", ".nl.md", path), encoding="utf-8").read():
            event = icalendar.Calendar.from_ical(look("--as", "ics")).walk("VEVENT")[0]
            check_small(str(event["DESCRIPTION"]), f"{name}.{language} invite", language, hook)
        seen += 1
lib.check(seen >= 50, f"{seen} texts")
print(seen, "texts in every channel")
lib.finish("channels")
