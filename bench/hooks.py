"""Webhooks over 32 connections to a local sink: ours, raw sockets in C, undici's pool, Apprise; and over TLS to nginx.

hooks.py [N]   three rounds, the best of each; the sink on one core, who sends on the other.
"""
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time

BUILD, SRC = os.environ["BUILD"], os.environ["SRC"]
CONNECTIONS, REQUESTS = 32, int(sys.argv[1]) if len(sys.argv) > 1 else 60000
SINK, CLIENT = ("taskset", "-c", "1"), ("taskset", "-c", "0")
judges = f"{BUILD}/judges"
nginx = shutil.which("nginx") or "/usr/sbin/nginx"
dir = tempfile.mkdtemp(prefix="nudged-bench-")
body = subprocess.run([f"{BUILD}/nudge", "--rules", f"{SRC}/rules", "preview", "bravo-week/lunch-walk", "--as", "json"],
                      stdout=subprocess.PIPE, check=True).stdout.strip()
open(f"{dir}/body", "wb").write(body)
sink = subprocess.Popen([*SINK, f"{BUILD}/bench_hooks", "sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
port = sink.stdout.readline().strip()
lines = b"".join(b"k%d - " % i + body + b"\n" for i in range(64))


def tls_server():
    """nginx that answers every POST itself; None where there is no nginx."""
    if not os.path.exists(nginx):
        return None, None
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{dir}/key",
                    "-out", f"{dir}/pem"], check=True, capture_output=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        at = s.getsockname()[1]
    temp = "".join(f"{t}_temp_path {dir}/{t}; " for t in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(f"{dir}/nginx.conf", "w") as f:
        f.write(f"""daemon off; master_process off; pid {dir}/pid; error_log {dir}/error.log;
events {{ worker_connections 256; }}
http {{ access_log off; keepalive_requests 100000000; {temp}
server {{ listen 127.0.0.1:{at} ssl; ssl_certificate {dir}/pem; ssl_certificate_key {dir}/key; location / {{ return 200 ok; }} }} }}
""")
    running = subprocess.Popen([*SINK, nginx, "-e", f"{dir}/error.log", "-c", f"{dir}/nginx.conf"])
    for _ in range(100):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", at)) == 0:
                return running, at
        time.sleep(0.05)
    sys.exit("nginx did not start")


def ours(form, url=f"http://127.0.0.1:{port}/hook", ca=""):
    return [f"{BUILD}/hook_driver", form, url, ca, str(CONNECTIONS), "inside", f"ROUNDS:{REQUESTS}"]


def undici(url, *ca):
    return ["node", f"{SRC}/bench/hooks_undici.mjs", judges, url, str(CONNECTIONS), str(REQUESTS), f"{dir}/body", *ca]


RAW, PEER, SLOW, TLS, TLS_PEER = "raw sockets in C", "undici's pool", "Apprise", "nudged, TLS", "undici's pool, TLS"
FEW = min(REQUESTS, 500)
runs = {
    RAW: [f"{BUILD}/bench_hooks", "client", port, str(CONNECTIONS), str(REQUESTS), f"{dir}/body"],
    "nudged": ours("slack"),
    "nudged, each signed": ours("generic"),
    PEER: undici(f"http://127.0.0.1:{port}/hook"),
}
if subprocess.run(["/usr/bin/python3", "-c", "import apprise"], stderr=subprocess.DEVNULL).returncode == 0:
    runs[SLOW] = ["/usr/bin/python3", f"{SRC}/bench/hooks_apprise.py", port, str(CONNECTIONS), str(FEW), f"{dir}/body"]
else:
    print("Apprise is not installed (apt-get install apprise): no comparison with it")
front, tls = tls_server()
if front:
    runs[TLS] = ours("slack", f"https://127.0.0.1:{tls}/hook", f"{dir}/pem")
    runs[TLS_PEER] = undici(f"https://127.0.0.1:{tls}/hook", f"{dir}/pem")
best, cost = dict.fromkeys(runs, 0.0), dict.fromkeys(runs, 1e9)
for _ in range(3):
    for name, command in runs.items():
        requests = FEW if name == SLOW else REQUESTS
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = subprocess.run([*CLIENT, *command], input=lines, stdout=subprocess.PIPE, check=True,
                             env={**os.environ, "HOOK_SECRET": "a signing key"}).stdout.decode().split()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if int(out[1]) != requests:
            sys.exit(f"{name}: {out[1]} of {requests} were taken")
        best[name] = max(best[name], requests / float(out[0]))
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        cost[name] = min(cost[name], used / requests * 1e6)
sink.stdin.close()
sink.wait()
if front:
    front.terminate()
    front.wait()
shutil.rmtree(dir)
print(f"webhooks of {len(body)} bytes over {CONNECTIONS} connections, best of three, with CPU a request of the client:")
for name, rate in best.items():
    print(f"  {name}: {rate:,.0f} a second, {cost[name]:.1f} us CPU")
print(f"  {best['nudged'] / best[RAW]:.2f} of raw, {best['nudged'] / best[PEER]:.1f} times undici; "
      f"CPU {cost['nudged'] / cost[RAW]:.1f} times raw, 1/{cost[PEER] / cost['nudged']:.1f} of undici")
if SLOW in best:
    print(f"  {best['nudged'] / best[SLOW]:.0f} times Apprise, CPU 1/{cost[SLOW] / cost['nudged']:.0f}")
if TLS in best:
    print(f"  over TLS {best[TLS] / best[TLS_PEER]:.1f} times undici, CPU 1/{cost[TLS_PEER] / cost[TLS]:.1f}")
