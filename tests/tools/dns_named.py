# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""BIND 9 on loopback for tests: a primary, a secondary that follows it and one that is never told of a change.

Each listens on 127.0.0.1 with a port of its own above 1024 (named listens on addresses of interfaces only, so
127.0.0.2 is not to be had without root) and ends with the process that started it. Debian's package ``bind9``
brings the program.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

PROGRAM = shutil.which("named") or shutil.which("named", path="/usr/sbin:/usr/local/sbin")
MISSING = "the name server's program 'named' is not installed (make packages; Debian: apt-get install bind9)"

#: A test run that is killed leaves no server behind (util-linux; without it the fixture still ends them).
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []

ZONE = "shop.example."
#: Test keys; they protect a server on loopback that lives for seconds.
SECRETS = {
    "continuity": "Y29udGludWl0eS1vbi1sb29wYmFjay0wMDAx",
    "powerless": "cG93ZXJsZXNzLW9uLWxvb3BiYWNrLS0wMDAy",
    "guard-only": "Z3VhcmQtb25seS1vbi1sb29wYmFjay0wMDAz",
}
PRIMARY, FOLLOWER, DEAF = "primary", "follower", "deaf"
LOOPBACK = "127.0.0.1"

_COMMON = """
{keys}
options {{
  directory "{directory}"; pid-file none; session-keyfile "{directory}/session.key";
  listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  recursion no; dnssec-validation no; notify-delay 0; minimal-responses yes; version none;
  max-journal-size 1m; update-quota 100;
}};
controls {{ }};
"""
_PRIMARY = """
statistics-channels {{ inet 127.0.0.1 port {statistics} allow {{ any; }}; }};
zone "{zone}" {{
  type primary; file "zone.db"; notify explicit; also-notify {{ 127.0.0.1 port {follower}; }};
  allow-transfer {{ any; }};
  update-policy {{
    grant continuity zonesub A AAAA CNAME TXT;
    grant guard-only zonesub TXT;
  }};
}};
"""
_SECONDARY = """
zone "{zone}" {{
  type secondary; file "copy.db"; masterfile-format text; primaries {{ 127.0.0.1 port {primary}; }};
  notify no;
}};
"""
ZONE_FILE = """$TTL 5
@ IN SOA ns0 hostmaster 1000 3600 600 86400 3
@ IN NS ns1
@ IN NS ns2
ns1 IN A 127.0.0.2
ns2 IN A 127.0.0.3
"""


class NameServers:
    """The servers, used as a context manager; ``which`` says which of them are started."""

    def __init__(self, directory: Path, which: Sequence[str] = (PRIMARY, FOLLOWER, DEAF)) -> None:
        self.directory, self.which = directory, which
        *ports, self._statistics_port = free_ports(4)
        #: the port of each server
        self.ports = dict(zip((PRIMARY, FOLLOWER, DEAF), ports, strict=True))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> NameServers:
        assert PROGRAM is not None, MISSING
        # A copy under another path: the distribution's confinement of named goes by the program's path and
        # would not let it read a test's directory.
        self._program = str(shutil.copy(PROGRAM, self.directory / "named"))
        try:
            for name in self.which:  # a secondary that finds no primary tries again only much later
                self.start(name)
                self.wait(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill every server and wait for its end."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait(timeout=10)

    def start(self, name: str) -> None:
        """Start one server, with an empty zone the first time."""
        home = self.directory / name
        home.mkdir(exist_ok=True)
        (home / "named.conf").write_text(self._configuration(name, home))
        if name == PRIMARY and not (home / "zone.db").exists():
            (home / "zone.db").write_text(ZONE_FILE)
        command = [*DIE_WITH_PARENT, self._program, "-g", "-4", "-n", "1", "-c", str(home / "named.conf")]
        with (home / "log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def kill(self, name: str) -> None:
        """Kill one server the hard way."""
        self._processes[name].kill()
        self._processes[name].wait(timeout=10)

    def wait(self, name: str, seconds: float = 15.0) -> None:
        """Wait until a server answers for the zone, or fail with the end of its log."""
        deadline = time.monotonic() + seconds
        while not _serves(self.ports[name]):
            if time.monotonic() > deadline or self._processes[name].poll() is not None:
                log = (self.directory / name / "log").read_text(errors="replace")
                raise AssertionError(f"named ({name}) does not serve {ZONE}:\n{log[-3000:]}")
            time.sleep(0.05)

    def updates(self) -> int:
        """How many UPDATE messages the primary has received since its start."""
        url = f"http://{LOOPBACK}:{self._statistics_port}/xml/v3/server"
        with urllib.request.urlopen(url, timeout=5) as answer:
            tree = ElementTree.fromstring(answer.read())
        counters = tree.findall(".//counters[@type='opcode']/counter[@name='UPDATE']")
        return sum(int(counter.text or 0) for counter in counters)

    def _configuration(self, name: str, home: Path) -> str:
        keys = "\n".join(
            f'key "{key}" {{ algorithm hmac-sha256; secret "{secret}"; }};' for key, secret in SECRETS.items()
        )
        values: dict[str, object] = {
            "keys": keys,
            "directory": home,
            "port": self.ports[name],
            "zone": ZONE,
            **self.ports,
        }
        values["statistics"] = self._statistics_port
        return (_COMMON + (_PRIMARY if name == PRIMARY else _SECONDARY)).format(**values)


def free_ports(count: int) -> list[int]:
    """Ports that are free for UDP and TCP on every loopback address at the moment."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("0.0.0.0", 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind(("0.0.0.0", port))
            except OSError:
                continue
            if port not in found:
                found.append(port)
    return found


def _serves(port: int) -> bool:
    """One SOA question by hand: the code under test must not be what says that the server is there."""
    name = b"".join(bytes([len(label)]) + label.encode() for label in ZONE.rstrip(".").split(".")) + b"\0"
    question = b"\x12\x34\0\0\0\1\0\0\0\0\0\0" + name + b"\0\6\0\1"
    with socket.socket(type=socket.SOCK_DGRAM) as channel:
        channel.settimeout(0.2)
        try:
            channel.sendto(question, (LOOPBACK, port))
            answer = channel.recv(4096)
        except OSError:
            return False
    return answer[:2] == question[:2] and answer[3] & 0x0F == 0 and answer[7] == 1
