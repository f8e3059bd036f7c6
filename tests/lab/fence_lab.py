# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fence agent for the lab: a member's container is its machine, Docker its power.

The interface is that of the fence-agents: name=value lines on standard input, status ends with 0 (on) or 2 (off).
"""

from __future__ import annotations

import json
import subprocess
import sys

PREFIX = "continuity-lab-"
SECONDS = 20
METADATA = """<?xml version="1.0" ?>
<resource-agent name="fence_lab" shortdesc="Fence agent for the containers of the lab">
<parameters>
  <parameter name="action" required="1"><content type="string" default="reboot"/></parameter>
  <parameter name="plug" required="1" obsoletes="port"><content type="string"/></parameter>
  <parameter name="port" required="1" deprecated="1"><content type="string"/></parameter>
  <parameter name="password" required="0"><content type="string"/></parameter>
</parameters>
<actions>
  <action name="on"/><action name="off"/><action name="reboot"/><action name="status"/><action name="list"/>
  <action name="monitor"/><action name="metadata"/>
</actions>
</resource-agent>"""
FAILED, ON, OFF = 1, 0, 2


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, timeout=SECONDS, check=False)


def fail(message: str) -> int:
    print(f"Failed: {message}", file=sys.stderr)
    return FAILED


def state_of(plug: str) -> str | None:
    """on, off, or None: a container that is not there, or half-way, is neither."""
    done = docker("container", "inspect", "--format", "{{json .State}}", PREFIX + plug)
    if done.returncode != 0:
        return None
    state = json.loads(done.stdout)
    if state["Restarting"] or state["Dead"]:
        return None
    return "on" if state["Running"] else "off"  # a frozen one can be thawed: it is on


def switch(plug: str, wanted: str) -> int:
    if state_of(plug) is None:
        return fail(f"no plug {plug}")
    if state_of(plug) != wanted:
        docker({"on": "start", "off": "kill"}[wanted], PREFIX + plug)
    if state_of(plug) != wanted:
        return fail(f"{plug} did not switch {wanted}")
    print(f"Success: Powered {wanted.upper()}")
    return 0


def status(plug: str) -> int:
    state = state_of(plug)
    if state is None:
        return fail(f"no plug {plug}, or its state cannot be told")
    print(f"Status: {state.upper()}")
    return ON if state == "on" else OFF


def main() -> int:
    lines = [line.strip() for line in sys.stdin if "=" in line and not line.startswith("#")]
    options = dict(line.split("=", 1) for line in lines)
    action, plug = options.get("action", "reboot"), options.get("plug") or options.get("port") or ""
    if action == "metadata":
        print(METADATA)
        return 0
    if action in ("list", "monitor"):
        done = docker("container", "ls", "--all", "--filter", f"name=^/{PREFIX}", "--format", "{{.Names}}")
        names = [name.removeprefix(PREFIX) for name in done.stdout.split()]
        print("".join(f"{name},\n" for name in names) if action == "list" else "", end="")
        return done.returncode
    if not plug:
        return fail("option plug is missing")
    if action == "status":
        return status(plug)
    if action in ("on", "off"):
        return switch(plug, action)
    if action == "reboot":
        return switch(plug, "off") or switch(plug, "on")
    return fail(f"unknown action {action}")


if __name__ == "__main__":
    sys.exit(main())
