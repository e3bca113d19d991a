"""Time of a simulated year for N people and six campaigns, in memory, with every table."""
import os
import resource
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["SRC"], "tests/system"))
import lib

n = int(sys.argv[1])
state, _ = lib.organisation(n, "2026-01-05")
start = time.monotonic()
out = subprocess.run([lib.NUDGE, "--rules", lib.RULES, "--state", state, "simulate", "--from", "2026-01-05", "--to",
                      "2026-12-31", "--format", "json"], stdout=subprocess.PIPE, check=True).stdout
took = time.monotonic() - start
lines = out.count(b"\n")
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(f"{n} people, 6 campaigns, a year: {lines} decisions in {took:.1f} s, {lines / took:.0f} a second, peak {peak} MiB")
import shutil
shutil.rmtree(lib.scratch)
