# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every name server sends users to the new address; neither a wrong key nor somebody else's value is passed over."""

from __future__ import annotations

from collections.abc import Callable

import harness
from harness import Result


def test_every_name_server_has_it(answers: Callable[[str], set[str]]) -> None:
    assert answers("accounts-db") == {"203.0.113.11"}


def test_a_record_set_back_by_hand_is_the_one_change_of_the_next_run(
    play: Callable[..., Result], dns_by_hand: Callable[..., None]
) -> None:
    dns_by_hand("accounts-db", "198.51.100.11")
    again = play("playbook.yml")
    assert (again.rc, again.changed) == (0, 1), again.output
    assert play("playbook.yml").changed == 0


def test_a_wrong_key_is_refused(play: Callable[..., Result], dns_by_hand: Callable[..., None]) -> None:
    dns_by_hand("accounts-db", "198.51.100.11")
    before = harness.state()
    run = play("playbook.yml", "key_file=tsig_stranger")
    assert (run.rc, run.changed, run.missing("tsig_badsig")) == (2, 0, []), run.output
    assert harness.differences(before) == ""


def test_a_record_changed_by_somebody_else_is_kept(
    play: Callable[..., Result], dns_by_hand: Callable[..., None]
) -> None:
    dns_by_hand("accounts-db", "203.0.113.99")
    before = harness.state()
    run = play("playbook.yml")
    assert (run.rc, run.changed) == (2, 0), run.output
    assert run.missing("conflict", "now 203.0.113.99", "expected 198.51.100.11, or already 203.0.113.11") == [], (
        run.output
    )
    assert harness.differences(before) == ""
