# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Verbs against the real lab, each test from a healthy start."""

from __future__ import annotations

from collections.abc import Iterator

import harness
import pytest


@pytest.fixture
def healthy() -> Iterator[None]:
    """The lab at its start; whatever the test leaves behind is put back by the next one."""
    harness.lab("reset")
    yield


@pytest.fixture
def unchanged(healthy: None) -> Iterator[None]:
    """A healthy lab in which the test must change nothing."""
    before = harness.state()
    yield
    assert harness.differences(before) == ""
