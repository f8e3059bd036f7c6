# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keys and passwords of the lab: made once, kept in build/lab, never committed.

Host keys are made here and put into the containers: host key checking stays on and survives a rebuilt container.
"""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
from pathlib import Path

from topology import MACHINES, STATE

PASSWORDS = ("replicator", "canary")
TSIG_KEYS = (
    "continuity",
    "stranger",
    "transfer",
)  # stranger exists and may do nothing; transfer serves the secondaries


def ensure() -> bool:
    """Make what is missing; whether anything was made."""
    folder = STATE / "secrets"
    folder.mkdir(parents=True, exist_ok=True)
    STATE.chmod(0o700)
    made = [_write_once(folder / name, secrets.token_urlsafe(18)) for name in PASSWORDS]
    made += [_write_once(folder / f"tsig_{name}", base64.b64encode(os.urandom(32)).decode()) for name in TSIG_KEYS]
    made += [_key_once(STATE / "id_ed25519", "continuity-lab")]
    made += [_key_once(host_key(known.name), known.name) for known in MACHINES]
    known_hosts = "".join(f"{known.address} {host_key_public(known.name)}\n" for known in MACHINES)
    path = STATE / "known_hosts"
    if not path.exists() or path.read_text() != known_hosts:
        path.write_text(known_hosts)
        made.append(True)
    return any(made)


def secret(name: str) -> str:
    """One secret by the name of its file, for example C(replicator) or C(tsig_continuity)."""
    return (STATE / "secrets" / name).read_text()


def login_key_public() -> str:
    """The public key that may log in to every machine."""
    return (STATE / "id_ed25519.pub").read_text()


def host_key(machine: str) -> Path:
    """The private host key of a machine."""
    return STATE / "hostkeys" / machine


def host_key_public(machine: str) -> str:
    """Type and key of a machine, as known_hosts wants them."""
    return " ".join(Path(f"{host_key(machine)}.pub").read_text().split()[:2])


def _write_once(path: Path, content: str) -> bool:
    if path.exists():
        return False
    path.touch(mode=0o600)
    path.write_text(content)  # no newline: Ansible's file lookup and shell substitution then read the same bytes
    return True


def _key_once(path: Path, comment: str) -> bool:
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=30)
    return True
