"""Letters and cards on paper: as many pages as sheets, the right size, nothing over the edge, a code that reads."""
import glob
import html
import os
import re
import shutil
import subprocess
import sys

import html5lib

import lib

MM = 72 / 25.4
SIZES = {"letter": (210, 297, 20), "card": (105, 148, 8)}
parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)

for program in ("chromium", "pdfinfo", "pdftotext", "pdftoppm", "zbarimg"):
    if shutil.which(program) is None:
        sys.exit(f"{program} is not installed; ./bootstrap check does that")


def run(*command):
    result = subprocess.run(command, capture_output=True, timeout=180)
    if result.returncode != 0:
        sys.exit(f"{command}: exit {result.returncode}\n{result.stderr.decode()[-2000:]}")
    return result.stdout.decode()


def sheets_of(page):
    return re.findall(r'<section class="sheet.*?</section>\n', page, re.S)


def judge(name, page, paper):
    """Print the document and look at every page of it."""
    width, height, margin = SIZES[paper]
    n = len(sheets_of(page))
    source, pdf = (os.path.join(lib.scratch, name + end) for end in (".html", ".pdf"))
    with open(source, "w", encoding="utf-8") as out:
        out.write(page)
    parser.parse(page)
    lib.check(not parser.errors, f"{name}: well-formed HTML: {parser.errors[:2]}")
    lib.check(not re.search(r"@import|url\(|https?:[^<]*\.(css|js|png)|<script|src=\"(?!data:)", page, re.I),
              f"{name}: nothing is loaded")
    run("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        f"--user-data-dir={lib.scratch}/chromium", "--no-pdf-header-footer", f"--print-to-pdf={pdf}",
        "file://" + source)
    info = run("pdfinfo", pdf)
    pages = int(re.search(r"Pages:\s+(\d+)", info).group(1))
    size = [float(x) for x in re.search(r"Page size:\s+([\d.]+) x ([\d.]+)", info).groups()]
    lib.check(pages == n and n > 0, f"{name}: {n} sheets on {pages} pages")
    lib.check(abs(size[0] - width * MM) < 2 and abs(size[1] - height * MM) < 2, f"{name}: {size}")
    over = []
    for box in re.finditer(r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">([^<]*)',
                           run("pdftotext", "-bbox", pdf, "-")):
        x0, y0, x1, y1 = (float(v) for v in box.groups()[:4])
        edge = margin * MM - 2
        if x0 < edge or x1 > size[0] - edge or y0 < edge or y1 > size[1] - 7 * MM:
            over.append(box.group(5))
    lib.check(not over, f"{name}: over the edge: {over[:8]}")
    return pdf


def codes(pdf, page, some):
    """The code of some pages says what stands beside it."""
    urls = [html.unescape(u) for u in re.findall(r'class="url">(https://[^<]+/a/[^<]+)</p>', page)]
    for i in some:
        base = os.path.join(lib.scratch, f"code{i}")
        run("pdftoppm", "-r", "200", "-png", "-singlefile", "-f", str(i + 1), "-l", str(i + 1), pdf, base)
        lib.check(run("zbarimg", "-q", "--raw", base + ".png").strip() == urls[i], f"{pdf}: the code of page {i}")


# every shipped text in every language, as letter and as card
for paper, ask in (("letter", ("--channel", "print")), ("card", ("--as", "card"))):
    sheets, heads = [], {}
    for path in sorted(glob.glob(f"{lib.RULES}/campaigns/*/messages/*.md")):
        campaign = path.split("/")[-3]
        message, language, _ = os.path.basename(path).split(".")
        page = lib.nudge("preview", f"{campaign}/{message}", "--lang", language, *ask).stdout.decode()
        heads[campaign] = page[:page.index("<section")]
        found = sheets_of(page)
        lib.check(len(found) == 1 and f'lang="{language}"' in found[0], f"{path}: one sheet in its language")
        lib.check("<a " not in found[0] and found[0].count('class="url">https://nudge.invalid/a/') == 1,
                  f"{path}: one address to answer at, and no link that paper cannot follow")
        sheets += found
    head, = {re.sub(r'<svg class="logos".*\n', "", h) for h in heads.values()}
    logos = {l for h in heads.values() for l in re.findall(r'<svg class="logos".*\n', h)}
    page = head + "".join(sorted(logos)) + "".join(sheets) + "</body></html>\n"
    pdf = judge(f"shipped-{paper}", page, paper)
    codes(pdf, page, (0, len(sheets) // 2))
print(len(sheets), "texts on paper, twice")


def logo_dark(pdf, page, x, y, size):
    """Is there anything where the logo should be?"""
    base, dots = os.path.join(lib.scratch, "logo"), 72 / 25.4
    run("pdftoppm", "-r", "72", "-singlefile", "-f", str(page), "-l", str(page), "-x", str(int(x * dots)), "-y",
        str(int(y * dots)), "-W", str(int(size * dots)), "-H", str(int(size * dots)), pdf, base)
    return min(open(base + ".ppm", "rb").read().split(b"\n", 3)[3]) < 160


# a batch as HR opens it: every page a sheet, every code read, one logo that shows on the first page and the last
rules = os.path.join(lib.scratch, "rules")
shutil.copytree(lib.RULES, rules)
path = f"{rules}/campaigns/bravo-week/campaign.yaml"
text = re.sub(r"(?m)^channels:.*$", "channels: { print: 1 }", open(path, encoding="utf-8").read())
open(path, "w", encoding="utf-8").write(text)
for path in glob.glob(f"{rules}/campaigns/bravo-week/messages/*.nl.md"):
    text = re.sub(r"(?m)^channels:.*\n", "", open(path, encoding="utf-8").read())
    open(path, "w", encoding="utf-8").write(text)
state = os.path.join(lib.scratch, "batches")
lib.people_csv(f"{lib.scratch}/people.csv", 60)
lib.nudge("people", "import", f"{lib.scratch}/people.csv", rules=rules, state=state)
name = lib.nudge("schedule", "bravo-week", "--start", "2026-03-02", rules=rules, state=state).stdout.decode().strip()
for role in ("hr", "works-council"):
    lib.nudge("approve", name, "--as", role, rules=rules, state=state)
hour = os.path.join(lib.scratch, "hour.yaml")
open(hour, "w").write("print_at: 16:00\n")
lib.nudge("--config", hour, "simulate", "--from", "2026-03-02", "--to", "2026-03-20", "--out", f"{lib.scratch}/out", rules=rules, state=state)
seen = {"letter": 0, "card": 0}
for path in sorted(glob.glob(f"{lib.scratch}/out/spool/print/*/*.html")):
    page, paper = open(path, encoding="utf-8").read(), "letter" if "letters" in path else "card"
    n = len(sheets_of(page))
    seen[paper] += n
    lib.check(page.count("<style>") == 1 and page.count("data:image") == 1, f"{path}: one style, one logo")
    pdf = judge(os.path.basename(os.path.dirname(path)) + paper, page, paper)
    codes(pdf, page, range(n))
    x, y, size = (25, 20, 18) if paper == "letter" else (8, 8, 9)
    lib.check(logo_dark(pdf, 1, x, y, size) and logo_dark(pdf, n, x, y, size), f"{path}: the logo shows")
    lib.check("Print op 100" not in run("pdftotext", pdf, "-"), f"{path}: the cover stays on the screen")
    lib.check("Print op 100" in page and f": {n} vellen" in page, f"{path}: and counts")
    if paper == "card":
        words = run("pdftotext", "-f", "1", "-l", "1", pdf, "-")
        lib.check(re.search(r"Person \d+", words) and re.search(r"t\d+", words), f"{path}: a card says for whom: {words[:200]}")
lib.check(min(seen.values()) >= 20, f"sheets of both kinds: {seen}")
print(seen, "sheets in batches")
lib.finish("printable")
