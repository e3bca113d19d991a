"""The core modules of the official Mustache suite, through `nudge render`."""
import json
import os
import subprocess

import lib

total = 0
for module in ("interpolation", "sections", "inverted", "partials", "delimiters", "comments"):
    for test in json.load(open(f"{lib.SRC}/tests/mustache/{module}.json"))["tests"]:
        folder = f"{lib.scratch}/{total}"
        os.makedirs(folder)
        files = {"main": test["template"], **(test.get("partials") or {})}
        for name, text in files.items():
            open(f"{folder}/{name}.mustache", "w", newline="").write(text)
        json.dump(test["data"], open(f"{folder}/data.json", "w"))
        got = subprocess.run([lib.NUDGE, "render", f"{folder}/main.mustache", f"{folder}/data.json"],
                             capture_output=True)
        lib.check(got.stdout.decode() == test["expected"],
                  f"{module}: {test['name']}: {got.stdout!r} {got.stderr!r}")
        total += 1
lib.check(total == 136, f"136 cases, not {total}")
lib.finish("mustache")
