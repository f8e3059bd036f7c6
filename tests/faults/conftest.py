# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The mark of those planted violations that CI has time for."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """`-m core` selects them."""
    config.addinivalue_line("markers", "core: part of the core set, which runs in CI")
