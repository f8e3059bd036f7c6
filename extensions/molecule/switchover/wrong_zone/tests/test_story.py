# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A zone that is not there is known before anything is stopped."""

from __future__ import annotations

from collections.abc import Callable

from harness import Result


def test_the_name_server_does_not_hold_it(refused: Callable[..., tuple[str, str]], said: dict[str, Result]) -> None:
    measured, limit = refused("endpoint_problem", "accounts-db")
    assert "does not hold other.example." in measured
    assert limit == "an endpoint that can be changed"
    assert all("accounts-db.other.example." in run.output for run in said.values())
