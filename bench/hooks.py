"""Webhooks over 32 connections to a local sink: ours, raw sockets in C, undici's pool.  Three rounds, the best of each."""
import os
import resource
import shutil
import subprocess
import sys
import tempfile

BUILD, SRC = os.environ["BUILD"], os.environ["SRC"]
CONNECTIONS, REQUESTS = 32, int(sys.argv[1]) if len(sys.argv) > 1 else 60000
judges = f"{BUILD}/judges"
dir = tempfile.mkdtemp(prefix="nudged-bench-")
body = subprocess.run([f"{BUILD}/nudge", "--rules", f"{SRC}/rules", "preview", "bravo-week/lunch-walk", "--as", "json"],
                      stdout=subprocess.PIPE, check=True).stdout.strip()
open(f"{dir}/body", "wb").write(body)
sink = subprocess.Popen([f"{BUILD}/bench_hooks", "sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
port = sink.stdout.readline().strip()
lines = b"".join(b"k%d - " % i + body + b"\n" for i in range(64))


def ours(form):
    return [f"{BUILD}/hook_driver", form, f"http://127.0.0.1:{port}/hook", "", str(CONNECTIONS), "inside", f"ROUNDS:{REQUESTS}"]


PEER = "undici's pool"
runs = {
    "raw sockets in C": [f"{BUILD}/bench_hooks", "client", port, str(CONNECTIONS), str(REQUESTS), f"{dir}/body"],
    "nudged": ours("slack"),
    "nudged, each signed": ours("generic"),
    PEER: ["node", f"{SRC}/bench/hooks_undici.mjs", judges, port, str(CONNECTIONS), str(REQUESTS), f"{dir}/body"],
}
best, cost = dict.fromkeys(runs, 0.0), dict.fromkeys(runs, 1e9)
for _ in range(3):
    for name, command in runs.items():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = subprocess.run(command, input=lines, stdout=subprocess.PIPE, check=True,
                             env={**os.environ, "HOOK_SECRET": "a signing key"}).stdout.decode().split()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if int(out[1]) != REQUESTS:
            sys.exit(f"{name}: {out[1]} of {REQUESTS} were taken")
        best[name] = max(best[name], REQUESTS / float(out[0]))
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        cost[name] = min(cost[name], used / REQUESTS * 1e6)
sink.stdin.close()
sink.wait()
shutil.rmtree(dir)
raw = "raw sockets in C"
print(f"webhooks of {len(body)} bytes over {CONNECTIONS} connections, best of three, with CPU a request of the client:")
for name, rate in best.items():
    print(f"  {name}: {rate:,.0f} a second, {cost[name]:.1f} us CPU")
print(f"  {best['nudged'] / best[raw]:.2f} of raw, {best['nudged'] / best[PEER]:.1f} times undici; "
      f"CPU {cost['nudged'] / cost[raw]:.1f} times raw, 1/{cost[PEER] / cost['nudged']:.1f} of undici")
