# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A project whose README's commands are run as they stand there, with nothing of this checkout in sight."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Project:
    """The copy, and what its README says."""

    path: Path
    done: list[str] = field(default_factory=list)

    @property
    def commands(self) -> dict[str, list[str]]:
        """Every command of the README by its section, as it stands there."""
        _title, *rest = SECTION.split((self.path / "README.md").read_text(encoding="utf-8"))
        parts = dict(zip(rest[::2], rest[1::2], strict=True))
        return {name: "".join(BLOCK.findall(text)).splitlines() for name, text in parts.items()}

    def run(self, command: str, expected: int = 0) -> str:
        """Run one command line in the project; what it said."""
        given = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON"))}
        environment = {**given, "PATH": f"{Path(sys.executable).parent}:{given['PATH']}", "ANSIBLE_NOCOLOR": "1"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        print(f"$ {command}\n{done.stdout}")
        assert done.returncode == expected, f"`{command}` ended with {done.returncode}:\n{done.stdout[-6000:]}"
        return done.stdout

    def section(self, name: str) -> list[str]:
        """Run a section of the README; what each of its commands said."""
        self.done.append(name)
        return [self.run(command) for command in self.commands[name]]
