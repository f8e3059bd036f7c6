# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A member for tests: the real shell runs the real scripts, and what would touch the machine is a stand-in.

First on PATH stand `id` (the login is nobody in particular, so every script takes its sudo branch), `sudo` (notes
each command with its user), `systemctl` (units are files) and PostgreSQL's programs. A command that would change
something outside the test's own directory is refused by the stand-in for sudo with exit code 97.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEPARATOR = "\037"

SUDO = r"""#!/bin/sh
[ "$1" = -n ] || exit 98
shift; user=root
[ "$1" = -u ] && { user=$2; [ "$3" = -- ] || exit 98; shift 3; }
printf '%s\037' "$user" "$@" | tr '\n' ' ' >> "@HOME@/sudo.log"; echo >> "@HOME@/sudo.log"
program=$1
case $program in
  /usr/bin/systemctl|/usr/bin/systemd-run) shift; exec "@HOME@/bin/${program##*/}" "$@" ;;
  /usr/bin/touch|/usr/bin/rm|/usr/bin/tee|/usr/bin/mv|/usr/bin/test)
    for word in "$@"; do case $word in "$program"|-*) ;; @HOME@/*) ;; *) exit 97 ;; esac; done ;;
  @BIN@/*) ;;
  *) exit 97 ;;
esac
exec @AS_USER@"$@"
"""

SYSTEMCTL = r"""#!/bin/sh
verb=$1; shift; keys=; value=
while [ $# -gt 1 ]; do
  case $1 in -p) keys="$keys $2"; shift ;; --value) value=1 ;; esac; shift
done
unit="@HOME@/units/$1"; mkdir -p "$unit"
[ ! -x "$unit/before-$verb" ] || "$unit/before-$verb"
[ ! -x "$unit/$verb" ] || exec "$unit/$verb"
case $verb in
  show) for key in $keys; do
      said=$(cat "$unit/$key" 2>/dev/null)
      case $key/$said in LoadState/) said=loaded ;; ActiveState/) said=inactive ;; Result/) said=success ;; esac
      [ -n "$value" ] && echo "$said" || echo "$key=$said"
    done ;;
  mask) echo masked > "$unit/LoadState" ;;
  unmask) echo loaded > "$unit/LoadState" ;;
  start) [ "$(cat "$unit/LoadState" 2>/dev/null)" != masked ] && echo active > "$unit/ActiveState" ;;
  stop|kill) echo inactive > "$unit/ActiveState" ;;
esac
"""


@dataclass(frozen=True)
class Output:
    """What a script left, as `Step.execute` returns it."""

    rc: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()


class FakeMember:
    """One machine below `home`; `bin_directory` is where PostgreSQL's programs are, stand-ins if None."""

    def __init__(self, home: Path, bin_directory: Path | None = None, as_user: str = "") -> None:
        self.home = home
        self.bin = home / "bin"
        self.state = home / "state"
        self.data = home / "data"
        self.bin_directory = bin_directory or self.bin
        for folder in (self.bin, self.state, home / "units", home / "socket"):
            folder.mkdir(parents=True, exist_ok=True)
        self._as_user = as_user
        self.program("id", "echo 1000")
        self._write("sudo", SUDO)
        self._write("systemctl", SYSTEMCTL)

    def program(self, name: str, body: str) -> None:
        """Put a stand-in on the member; `body` is shell."""
        self._write(name, f"#!/bin/sh\n{body}\n")

    def _write(self, name: str, text: str) -> None:
        for mark, value in (("HOME", self.home), ("BIN", self.bin_directory), ("AS_USER", self._as_user)):
            text = text.replace(f"@{mark}@", str(value))
        path = self.bin / name
        new = path.with_suffix(".new")  # a script that is being run must not be written to
        new.write_text(text, encoding="utf-8")
        new.chmod(0o755)
        new.replace(path)

    def hook(self, unit: str, verb: str, body: str) -> None:
        """Say what `systemctl <verb> <unit>` does here, or with `before-<verb>` what happens before it."""
        path = self.home / "units" / unit / verb
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def unit(self, unit: str, **states: str) -> dict[str, str]:
        """Set states of a unit (LoadState="masked"); returns all that are set."""
        folder = self.home / "units" / unit
        folder.mkdir(exist_ok=True)
        for key, value in states.items():
            (folder / key).write_text(value + "\n", encoding="utf-8")
        return {path.name: path.read_text().strip() for path in folder.iterdir() if not os.access(path, os.X_OK)}

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.home)}

    def run(self, script: str, seconds: float = 30.0) -> Output:
        """Run a script as `Step.execute` has it run."""
        done = subprocess.run(
            ["/bin/sh", "-s"],
            input=script,
            capture_output=True,
            text=True,
            cwd="/",
            timeout=seconds,
            check=False,
            env=self.environment,
        )
        return Output(done.returncode, done.stdout, done.stderr)

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Every command that ran with other rights, as (user, argv)."""
        log = self.home / "sudo.log"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        words = [line.split(SEPARATOR)[:-1] for line in lines]
        return [(word[0], word[1:]) for word in words]

    def member(self, host: str = "db1", **changes: Any) -> dict[str, Any]:
        """The member as a plan would have it."""
        return {
            "host": host,
            "cluster": "15/main",
            "bin_directory": str(self.bin_directory),
            "data_directory": str(self.data),
            "socket_directory": str(self.home / "socket"),
            **changes,
        }
