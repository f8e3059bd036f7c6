# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fence agents that are shell scripts, and a clock that does not wait."""

from __future__ import annotations

import subprocess

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.fence import agent

METADATA = """<?xml version="1.0" ?><resource-agent name="fence_fake"><parameters>
<parameter name="action" required="1"/><parameter name="plug" required="1" obsoletes="port"/>
<parameter name="port" required="1" deprecated="1"/><parameter name="password" required="0"/>
<parameter name="missing_as_off" required="0"/><parameter name="method" required="0"/></parameters>
<actions><action name="reboot"/><action name="on"/><action name="off"/><action name="status"/></actions>
</resource-agent>"""

#: Keeps its power in a file; what a test puts first may end it otherwise
FAKE = """#!/bin/sh
cat > "$0.in"
action=$(sed -n 's/^action=//p' "$0.in"); plug=$(sed -n 's/^plug=//p' "$0.in"); power="$0.$plug"
echo "$action" >> "$0.calls"; cat "$0.in" >> "$0.said"; echo "$*" >> "$0.argv"
[ "$action" != metadata ] || { cat "$0.xml"; exit 0; }
@FIRST@
case $action in
  status) case $(cat "$power" 2>/dev/null || echo on) in off) echo "Status: OFF"; exit 2;; *) echo "Status: ON";; esac;;
  on|off) echo $action > "$power"; echo "Success: Powered"; exit 0;;
esac
"""


class Time:
    """Stands still until somebody waits."""

    def __init__(self):
        self.seconds = 1000.0

    def now(self):
        return self.seconds

    def wait(self, seconds):
        self.seconds += seconds


@pytest.fixture
def program(tmp_path):
    """`program("shell that comes first")` makes a fence agent and returns its path."""

    def make(first="", xml=METADATA, name="fence_fake"):
        path = tmp_path / name
        path.write_text(FAKE.replace("@FIRST@", first), encoding="utf-8")
        path.chmod(0o755)
        path.with_name(name + ".xml").write_text(xml, encoding="utf-8")
        return path

    make.xml = METADATA
    return make


def shell(script, seconds):
    bound = seconds + 20
    done = subprocess.run(["/bin/sh", "-s"], input=script, capture_output=True, text=True, timeout=bound, check=False)
    return agent.Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def fence():
    """`fence([(agent, options), ...])` with a clock that does not wait."""

    def make(*devices, run=shell, call_seconds=5.0):
        time = Time()
        known = [agent.Device(str(path), options) for path, options in devices]
        built = agent.Fence(known, run, agent.Clock(time.now, time.wait), call_seconds)
        built.time = time
        return built

    return make
