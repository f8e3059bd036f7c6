# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets: none of the lab's stands in anything that a verb said or wrote."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import topology

SHORTEST = 8
#: What the plans with a fence device give its agent, in tests/lab/verbs/test_fencing.py and here.
FENCE_PASSWORD = "fence-secret-4711"


def secrets_of(state: Path = topology.STATE) -> dict[str, list[str]]:
    """Every secret by name, in the forms in which it may show: as it is, in base64, in a URL; a key by its lines."""
    passwords = {path.name: path.read_text(encoding="utf-8").strip() for path in (state / "secrets").iterdir()}
    found = {name: _forms(text) for name, text in passwords.items()}
    key = (state / "id_ed25519").read_text(encoding="utf-8").splitlines()
    found["fence"] = _forms(FENCE_PASSWORD)
    return {**found, "id_ed25519": [line for line in key if len(line) > SHORTEST and "PRIVATE KEY" not in line]}


def _forms(text: str) -> list[str]:
    return [text, quote(text, safe=""), base64.b64encode(text.encode()).decode()]


def leaks(texts: Mapping[str, str], secrets: Mapping[str, list[str]]) -> list[str]:
    """One line for every secret in a text, by name: the secret itself is not shown again.

    >>> leaks({"output": "password=hunter22"}, {"canary": ["hunter22"]})
    ['the secret canary stands in output']
    """
    return [
        f"the secret {name} stands in {where}"
        for where, text in texts.items()
        for name, forms in secrets.items()
        if any(form in text for form in forms)
    ]


def files(folder: Path) -> dict[str, str]:
    """The text of every file below a folder."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace") for path in found}
