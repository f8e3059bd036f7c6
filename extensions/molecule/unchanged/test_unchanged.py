# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab looks as it did when keep.yml ran: roles, timelines, units, names and serials, asked from outside Ansible."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]


def test_nothing_changed_since_it_was_remembered() -> None:
    command = [sys.executable, "tests/lab/state.py", "unchanged", "build/molecule/state.json"]
    looked = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert looked.returncode == 0, looked.stdout + looked.stderr
