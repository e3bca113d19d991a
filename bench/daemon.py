"""daemon.py PEOPLE CAMPAIGNS IDLE: memory of import and daemon with so many people in so many campaigns that
start today; then the daemon's wake-ups while nothing is due, for IDLE seconds, on a small state."""
import os
import re
import signal
import shutil
import subprocess
import sys
import tempfile
import time

people, campaigns, idle = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
SRC, BUILD = os.environ["SRC"], os.environ["BUILD"]
folder = tempfile.mkdtemp(prefix="nudged-bench-")


def organisation(where, n, k):
    subprocess.run([sys.executable, f"{SRC}/bench/organisation.py", str(n), str(k), time.strftime("%Y-%m-%d"), where],
                   check=True, stdout=subprocess.DEVNULL)


def status(pid, key):
    return int(re.search(rf"^{key}:\s+(\d+)", open(f"/proc/{pid}/status").read(), re.M).group(1))


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def daemon(where):
    log = open(f"{where}/log", "w")
    return subprocess.Popen([f"{BUILD}/nudged", "--state", f"{where}/state", "--rules", f"{where}/rules", "--foreground"],
                            stderr=log)


def settle(pid):
    """Until it has not worked for three seconds."""
    last, since = cpu(pid), time.monotonic()
    while time.monotonic() - since < 3:
        time.sleep(0.2)
        now = cpu(pid)
        if now != last:
            last, since = now, time.monotonic()


def end(d):
    d.send_signal(signal.SIGTERM)
    d.wait(60)


try:
    big, small = f"{folder}/big", f"{folder}/small"
    os.mkdir(big)
    began = time.monotonic()
    organisation(big, people, campaigns)
    r = subprocess.run(["/usr/bin/time", "-f", "%e %M", f"{BUILD}/nudge", "--rules", f"{big}/rules", "--state",
                        f"{big}/other", "people", "import", f"{big}/people.csv"], capture_output=True, text=True)
    seconds, kib = r.stderr.split()[-2:]
    print(f"import of {people} people: {seconds} s, peak {int(kib) // 1024} MiB")
    d = daemon(big)
    began = time.monotonic()
    settle(d.pid)
    print(f"nudged with {people} people in {campaigns} campaigns: all enrolled and planned after "
          f"{time.monotonic() - began - 3:.0f} s, peak {status(d.pid, 'VmHWM') // 1024} MiB resident (under 64)")
    end(d)
    os.mkdir(small)
    organisation(small, 240, 0)
    d = daemon(small)
    settle(d.pid)
    before, used = status(d.pid, "voluntary_ctxt_switches"), cpu(d.pid)
    time.sleep(idle)
    print(f"idle daemon: {status(d.pid, 'voluntary_ctxt_switches') - before} wake-ups in {idle} s (none), "
          f"{status(d.pid, 'VmRSS') / 1024:.1f} MiB resident (under 16)")
    end(d)
finally:
    shutil.rmtree(folder, ignore_errors=True)
