"""Mounts, and a network, of a test's own: they end with it and nobody else sees them."""
import os
import shutil
import subprocess
import sys


def alone(script, *kinds, user=False):
    """Run the script again in namespaces of its own (unshare's words).

    Wants root, or a sudo that asks nothing; with user=True a user namespace is enough, in which the script is root:
    for small disks in memory.  Where there is none of these the test fails and says so: nothing is skipped.
    """
    if os.environ.get("ALONE") == script:
        return
    os.environ["ALONE"] = script
    command = ["unshare", *(f"--{k}" for k in kinds), "--propagation", "private", sys.executable, os.path.abspath(script)]
    if os.getuid() != 0 and user:
        print("not root: on in a user namespace, if unshare can make one", flush=True)
        command.insert(1, "--map-root-user")
    elif os.getuid() != 0:
        if not shutil.which("sudo") or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode:
            sys.exit(f"{os.path.basename(script)} takes {' and '.join(kinds)} of its own: run it as root, or where sudo asks nothing")
        command = ["sudo", "-n", "--preserve-env", *command]
    os.execvp(command[0], command)
