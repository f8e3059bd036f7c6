# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether anything changed, asked from outside Ansible: units, roles, timelines, replication, names, serials, leases.

state.py keep FILE       write what the lab looks like now
state.py unchanged FILE  exit 1, with a difference a line, when it looks different now
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import containers
import engine
import names
import status
from docker.models.containers import Container
from say import LabError
from topology import ZONE, members

#: A server that has just begun to stream, or a zone that is being transferred, settles within moments.
SETTLE_SECONDS = 5.0

#: The last line of what a member says: without it something is missing.
END = "end of traces"

#: What status does not say: what the collection keeps, the servers' own settings, units that are masked, and whether a
#: server was stopped and started again meanwhile.
TRACES = f"""
find /var/lib/continuity -type f ! -name lock | sort | xargs -r grep -H ''
while read -r name port data _; do
    systemctl show -p Id,InvocationID "postgresql@15-$name.service" | paste -s -d ' '
    cat "$data"/postgresql.auto.conf "$data"/*.signal 2>/dev/null | cksum
    runuser -u postgres -- timeout 3 psql -XAtq -p "$port" -d postgres </dev/null 2>&1 \\
        -c "select 'replay paused' where case when pg_is_in_recovery() then pg_is_wal_replay_paused() end" | grep paused
done < /opt/continuity-lab/clusters
find /etc/systemd/system /run/systemd/system -lname /dev/null | sort
echo {END}
"""


def look() -> dict[str, Any]:
    """Everything a verb may change, without what moves by itself (positions, times).

    Raises:
        LabError: a member that runs does not answer. What it did not say would look unchanged in every later picture.
    """
    boxes = containers.existing(engine.connect())
    seen = status.collect(boxes)
    seen.pop("problems")
    seen["serials"] = {server: names.ask(server, ZONE, "SOA") for server in names.SERVERS}
    for service, facts in seen["services"].items():
        for name, copy in facts["members"].items():
            if copy.get("unit") == status.SILENT:
                raise LabError(f"{name} runs and does not say how {service} is: make lab-status, then make lab-reset")
    standing = [m.name for m in members() if (box := boxes.get(m.name)) is not None and box.status == "running"]
    seen["traces"] = {name: _traces(name, boxes[name]) for name in standing}
    return seen


def _traces(name: str, box: Container) -> str:
    said = status.heard(box, TRACES, lambda text: text.endswith(END))
    if said is None:
        raise LabError(f"{name} runs and does not say what was left on it: make lab-status, then make lab-reset")
    return said.removesuffix(END).strip()


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf with its path."""
    if isinstance(value, Mapping):
        for key, inner in sorted(value.items()):
            yield from flat(inner, f"{path}/{key}")
    else:
        yield path, str(value)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One line for each leaf that differs."""
    old, new = dict(flat(before)), dict(flat(now))
    return [
        f"{path}: {old.get(path, 'nothing')} -> {new.get(path, 'nothing')}"
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    ]


def keep(file: Path) -> None:
    """Write what the lab looks like now."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(look(), indent=1, sort_keys=True), encoding="utf-8")


def changed_since(file: Path, settle_seconds: float = SETTLE_SECONDS) -> list[str]:
    """What looks different now from what was kept, after moments in which it may settle."""
    before = json.loads(file.read_text(encoding="utf-8"))
    until = time.monotonic() + settle_seconds
    while (found := differences(before, look())) and time.monotonic() < until:
        time.sleep(0.5)
    return found


def main(arguments: list[str]) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["keep", "unchanged"])
    parser.add_argument("file", type=Path)
    options = parser.parse_args(arguments)
    if options.action == "keep":
        keep(options.file)
        return 0
    found = changed_since(options.file)
    print("\n".join(found) if found else "nothing changed")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
