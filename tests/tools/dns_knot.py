# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The name servers of dns_named, some of them run by Knot DNS: what works with BIND alone shows here.

Debian's package ``knot`` brings the program.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from dns_named import DIE_WITH_PARENT, FOLLOWER, PRIMARY, SECRETS, ZONE, ZONE_FILE, NameServers

PROGRAM, CONTROL = (
    shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin") for name in ("knotd", "knotc")
)
MISSING = "the name server's program 'knotd' is not installed (make packages; Debian: apt-get install knot)"

_COMMON = """
server:
  listen: 127.0.0.1@{port}
  rundir: {home}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {home}/db
log:
  - target: stderr
    any: info
key:
{keys}
remote:
  - id: primary
    address: 127.0.0.1@{primary}
  - id: follower
    address: 127.0.0.1@{follower}
acl:
  - id: records
    action: update
    key: continuity
    update-type: [A, AAAA, CNAME, TXT]
  - id: guards
    action: update
    key: guard-only
    update-type: TXT
  - id: transfers
    action: transfer
    address: 127.0.0.1
  - id: notifies
    action: notify
    address: 127.0.0.1
zone:
  - domain: {zone}
    storage: {home}
    file: zone.db
"""
_ROLE = {
    PRIMARY: "    notify: follower\n    acl: [records, guards, transfers]\n",
    FOLLOWER: "    master: primary\n    acl: notifies\n",
}


class KnotServers(NameServers):
    """Those in ``knot`` are run by Knot, the others by BIND. Knot does not count what ``updates`` tells."""

    def __init__(self, directory: Path, knot: Collection[str]) -> None:
        super().__init__(directory, (PRIMARY, FOLLOWER))
        self.knot = knot

    def start(self, name: str) -> None:
        """Start one server, with an empty zone the first time."""
        if name not in self.knot:
            return super().start(name)
        assert PROGRAM is not None, MISSING
        home = self.directory / name
        (home / "db").mkdir(parents=True, exist_ok=True)
        keys = "\n".join(
            f"  - id: {key}\n    algorithm: hmac-sha256\n    secret: {text}" for key, text in SECRETS.items()
        )
        values: dict[str, object] = {"home": home, "keys": keys, "zone": ZONE, "port": self.ports[name], **self.ports}
        (home / "knot.conf").write_text(_COMMON.format(**values) + _ROLE[name])
        if name == PRIMARY and not (home / "zone.db").exists():
            (home / "zone.db").write_text(ZONE_FILE)
        command = [*DIE_WITH_PARENT, PROGRAM, "-c", str(home / "knot.conf")]
        with (home / "log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log)
        return None

    def control(self, name: str, *words: str) -> str:
        """Tell one of Knot's servers to do something, and wait for its answer."""
        assert CONTROL is not None, MISSING
        command = [CONTROL, "-c", str(self.directory / name / "knot.conf"), "-b", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout
