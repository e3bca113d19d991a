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
    sheets, head = [], ""
    for path in sorted(glob.glob(f"{lib.RULES}/campaigns/*/messages/*.md")):
        campaign = path.split("/")[-3]
        message, language, _ = os.path.basename(path).split(".")
        page = lib.nudge("preview", f"{campaign}/{message}", "--lang", language, *ask).stdout.decode()
        head = page[:page.index("<section")]
        found = sheets_of(page)
        lib.check(len(found) == 1 and f'lang="{language}"' in found[0], f"{path}: one sheet in its language")
        lib.check("<a " not in found[0] and found[0].count('class="url">https://nudge.invalid/a/') == 1,
                  f"{path}: one address to answer at, and no link that paper cannot follow")
        sheets += found
    page = head + "".join(sheets) + "</body></html>\n"
    pdf = judge(f"shipped-{paper}", page, paper)
    codes(pdf, page, (0, len(sheets) // 2))
print(len(sheets), "texts on paper, twice")
lib.finish("printable")
