# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whatever a run, its owner or a service is called: no name becomes a command, a path, or a field of the lease."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_member import FakeMember, Output

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease, acquire_script

SERVICE = "payments-db"


@pytest.fixture
def member(tmp_path, monkeypatch):
    made = FakeMember(tmp_path)
    monkeypatch.setattr(lease, "STATE_DIRECTORY", str(made.state))
    return made


def acquire(member: FakeMember, run: str, owner: str) -> Output:
    return member.run(acquire_script(Lease(SERVICE, run, 1, owner), 60))


def refused(output: Output) -> tuple[str, str]:
    found = lease.refusal(output.stdout)
    assert output.rc == lease.REFUSED and found is not None, output
    return found


OWNERS = [
    "o'neil",
    'a "quoted" one',
    "$(touch PWNED)",
    "`touch PWNED`",
    "back\\nslash\\c",
    "a; touch PWNED",
    "-n",
    "%s",
]


@pytest.mark.parametrize("owner", OWNERS)
def test_no_owner_reaches_the_shell_and_the_next_run_reads_it_as_it_is(member, owner):
    assert acquire(member, "run-a", owner).rc == 0
    rule, detail = refused(acquire(member, "run-b", "bob"))
    assert rule == "lease_held" and detail.startswith(f"run-a by {owner}, ") and detail.endswith(" s left")
    assert not list(member.home.rglob("PWNED")) and not Path("/PWNED").exists()


def test_an_owner_of_several_lines_cannot_write_its_own_expiry(member):
    acquire(member, "run-a", "eve\nuntil=99999999999\nboot=forged")
    _rule, detail = refused(acquire(member, "run-b", "bob"))
    assert detail.startswith("run-a by eve until=99999999999 boot=forged, ")
    assert int(detail.split(", ")[-1].removesuffix(" s left")) <= 60


@pytest.mark.parametrize("run", ["", "two words", "a\nuntil=9", "$(id)", "o'neil", "-n", "../x"])
def test_a_run_id_that_is_no_slug_is_refused_before_any_script_is_made(run):
    with pytest.raises(ValueError, match="run id"):
        Lease(SERVICE, run, 1)


@pytest.mark.parametrize("service", ["", "..", "../other", "a/b", "two words", "a\nb"])
def test_a_service_that_is_no_plain_name_is_refused(service):
    with pytest.raises(ValueError, match="service"):
        Lease(service, "run-a", 1)
    with pytest.raises(ValueError, match="service"):
        lease.variables(service)
