# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one exception of the canary that a person reads."""

from __future__ import annotations

import sys
from typing import Any


class CanaryError(Exception):
    """What happened and what to do next, for a person.

    Attributes: `reason` (one stable word for programs), `fields` (further facts for the step's result).
    """

    def __init__(self, message: str, reason: str, **fields: Any) -> None:
        super().__init__(message)
        self.reason = reason
        self.fields = fields


def missing_library(library: str, requirement: str, error: Exception) -> CanaryError:
    """The error for a library that the controller's Python does not have, with the command that installs it."""
    return CanaryError(
        f"the canary needs {library} in the Python that runs Ansible ({sys.executable}): {error}. "
        f"Install it with: {sys.executable} -m pip install '{requirement}'",
        reason="missing_library",
    )
