# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease on a member, held by the scripts themselves: a real shell runs every one of them."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from fake_member import FakeMember, Output
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuity.dr.plugins.plugin_utils import lease
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease, acquire_script, guarded, release_script

SERVICE = "payments-db"


@pytest.fixture
def member(tmp_path, monkeypatch):
    made = FakeMember(tmp_path)
    monkeypatch.setattr(lease, "STATE_DIRECTORY", str(made.state))
    return made


def mine(run: str = "run-a", epoch: int = 1, owner: str = "ann@ops") -> Lease:
    return Lease(SERVICE, run, epoch, owner)


def refused(output: Output) -> tuple[str, str]:
    """The rule and the detail of a script that must have been refused."""
    assert output.rc == lease.REFUSED, output
    found = lease.refusal(output.stdout)
    assert found is not None, output
    return found


def file(member: FakeMember, name: str) -> Path:
    return member.state / SERVICE / name


def rewrite(member: FakeMember, key: str, value: object) -> None:
    """Change one line of the lease, as time or a reboot would."""
    lines = file(member, "lease").read_text().splitlines()
    changed = [f"{key}={value}" if line.startswith(f"{key}=") else line for line in lines]
    assert changed != lines
    file(member, "lease").write_text("\n".join(changed) + "\n")


def acquire(member: FakeMember, held: Lease, seconds: int = 60) -> Output:
    output = member.run(acquire_script(held, seconds))
    assert output.stderr == ""
    return output


def test_a_free_member_is_taken_and_renewed_by_the_same_run_without_a_change(member):
    first = acquire(member, mine())
    assert (first.rc, first.lines) == (0, ["@@changed", "@@held 60"])
    again = acquire(member, mine(), 90)
    assert (again.rc, again.lines) == (0, ["@@held 90"])
    assert file(member, "epoch").read_text() == "1\n"


def test_a_renewal_that_names_no_owner_keeps_the_one_that_is_named(member):
    acquire(member, mine())
    acquire(member, mine(owner=""))
    assert refused(acquire(member, mine("run-b", 2)))[1].startswith("run-a by ann@ops, ")
    rewrite(member, "until", 1)
    acquire(member, mine("run-b", 2, owner=""))
    assert refused(acquire(member, mine("run-a", 2)))[1].startswith("run-b by , "), "not another run's"


def test_another_run_is_refused_while_the_lease_lives_and_told_who_holds_it_for_how_long(member):
    acquire(member, mine())
    rule, detail = refused(acquire(member, mine("run-b", 2, "bob@ops")))
    assert rule == "lease_held"
    assert detail.startswith("run-a by ann@ops, ")
    assert 50 <= int(detail.split(", ")[1].removesuffix(" s left")) <= 60
    assert file(member, "epoch").read_text() == "1\n"


def test_an_expired_lease_is_taken_over(member):
    acquire(member, mine())
    rewrite(member, "until", 1)
    assert acquire(member, mine("run-b", 1)).lines == ["@@changed", "@@held 60"]


def test_a_reboot_ends_a_lease(member):
    acquire(member, mine())
    rewrite(member, "boot", "00000000-0000-0000-0000-000000000000")
    assert acquire(member, mine("run-b", 1)).rc == 0


def test_an_older_epoch_is_refused_even_when_the_member_is_free(member):
    acquire(member, mine(epoch=7))
    member.run(release_script(mine(epoch=7)))
    assert refused(acquire(member, mine("run-b", 6))) == ("stale_epoch", "7")
    assert file(member, "epoch").read_text() == "7\n"


def test_an_epoch_that_cannot_be_read_is_not_taken_for_a_low_one(member):
    acquire(member, mine(epoch=7))
    file(member, "epoch").write_text("seven\n")
    assert refused(acquire(member, mine(epoch=8)))[0] == "epoch_unreadable"
    assert refused(member.run(guarded(mine(epoch=8), SERVICE, "echo acted")))[0] == "epoch_unreadable"


def test_release_gives_back_ones_own_lease_and_leaves_another_runs_alone(member):
    acquire(member, mine())
    kept = file(member, "lease").read_text()
    assert member.run(release_script(mine("run-b"))).lines == ["@@released"]
    assert file(member, "lease").read_text() == kept
    assert member.run(release_script(mine())).lines == ["@@changed", "@@released"]
    assert member.run(release_script(mine())).lines == ["@@released"]
    assert file(member, "epoch").read_text() == "1\n"


def test_a_guarded_script_acts_under_its_own_live_lease_only(member):
    acquire(member, mine(epoch=3))
    assert member.run(guarded(mine(epoch=3), SERVICE, "echo acted")).lines == ["acted"]


@pytest.mark.parametrize(
    ("what_happened", "rule"),
    [
        (lambda m: acquire(m, mine(epoch=4)), "stale_epoch"),
        (lambda m: (rewrite(m, "until", 1), acquire(m, mine("run-b", 3))), "lease_lost"),
        (lambda m: m.run(release_script(mine(epoch=3))), "lease_lost"),
        (lambda m: rewrite(m, "until", 1), "lease_expired"),
        (lambda m: rewrite(m, "boot", "another"), "lease_expired"),
    ],
    ids=["newer epoch", "another run took over", "released", "paused too long", "rebooted"],
)
def test_a_run_that_wakes_up_late_is_refused_in_the_script_that_would_act(member, what_happened, rule):
    acquire(member, mine(epoch=3))
    what_happened(member)
    output = member.run(guarded(mine(epoch=3), SERVICE, "echo acted"))
    assert refused(output)[0] == rule
    assert "acted" not in output.stdout
    assert rule in lease.NEXT


@pytest.mark.parametrize(("least", "acts"), [(1, True), (58, True), (61, False), (300, False)])
def test_a_run_that_slept_since_its_proof_finds_less_left_than_it_counted_on(member, least, acts):
    """By the member's own clock, and in the script that would act: no sleep comes between."""
    acquire(member, mine(epoch=3))
    output = member.run(guarded(mine(epoch=3), SERVICE, "echo acted", least_left=least))
    assert ("acted" in output.stdout) is acts
    assert acts or refused(output)[0] == "proof_too_old" and "proof_too_old" in lease.NEXT


def test_two_scripts_are_never_at_work_at_once(member):
    acquire(member, mine())
    slow = subprocess.Popen(
        ["/bin/sh", "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=member.environment
    )
    slow.stdin.write(guarded(mine(), SERVICE, "echo locked; read never < /dev/null; sleep 4.5; echo ended"))
    slow.stdin.close()
    assert slow.stdout.readline() == "locked\n"
    assert refused(member.run(guarded(mine(), SERVICE, "echo acted")))[0] == "member_busy"
    assert (slow.wait(5), slow.stdout.read()) == (0, "ended\n")
    slow.stdout.close()


def test_a_member_without_a_state_directory_says_so(member, monkeypatch):
    file_in_the_way = member.home / "a-file"
    file_in_the_way.write_text("")
    monkeypatch.setattr(lease, "STATE_DIRECTORY", str(file_in_the_way))
    rule, _detail = refused(member.run(acquire_script(mine(), 60)))
    assert rule == "no_state_directory"


def test_of_two_runs_with_the_same_epoch_exactly_one_wins(member):
    for turn in range(20):
        racers = [
            subprocess.Popen(
                ["/bin/sh", "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=member.environment
            )
            for _racer in range(2)
        ]
        for number, racer in enumerate(racers):
            racer.stdin.write(acquire_script(mine(f"run-{turn}-{number}", turn + 1), 60))
            racer.stdin.flush()
        said = [racer.communicate()[0] for racer in racers]
        assert sorted("@@held 60" in text for text in said) == [False, True], said
        assert sorted("@@refused lease_held" in text for text in said) == [False, True], said
        winner = next(number for number, text in enumerate(said) if "@@held 60" in text)
        member.run(release_script(mine(f"run-{turn}-{winner}", turn + 1)))


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.sampled_from(["acquire", "release", "expire"]), st.sampled_from("ab"), st.integers(0, 5)),
        max_size=8,
    )
)
def test_the_epoch_never_goes_down(steps):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        member = FakeMember(Path(folder))
        patch.setattr(lease, "STATE_DIRECTORY", str(member.state))
        highest = 0
        for action, run, epoch in steps:
            if action == "acquire":
                held = acquire(member, mine(f"run-{run}", epoch)).rc == 0
                highest = max(highest, epoch) if held else highest
            elif action == "release":
                member.run(release_script(mine(f"run-{run}", epoch)))
            elif file(member, "lease").exists():
                acquire(member, mine(f"run-{run}", epoch), -1)
            epoch_file = file(member, "epoch")
            assert int(epoch_file.read_text() if epoch_file.exists() else 0) >= highest


def test_a_script_cut_anywhere_runs_nothing(member):
    script = acquire_script(mine(), 60)
    for length in range(0, len(script) - 1, 23):
        member.run(script[:length])
        assert not list(member.state.iterdir()), f"cut after {length} characters: {script[:length][-80:]}"
    assert member.run(script).rc == 0 and file(member, "lease").exists()


def test_without_a_lease_nothing_is_checked_and_the_state_directory_is_made(member):
    assert member.run(guarded(None, SERVICE, 'test -d "$state" && echo acted')).lines == ["acted"]


def test_who_holds_the_lease_is_told_with_what_is_left_and_the_last_step(member):
    look = lease.FUNCTIONS + lease.variables(SERVICE) + lease.OBSERVE

    def told():
        return lease.observed([line.removeprefix("@@lease ") for line in member.run(look).lines])

    assert told() is None
    acquire(member, mine(owner="ann lee@ops"), 60)
    seen = told()
    assert (seen["run"], seen["owner"]) == ("run-a", "ann lee@ops")
    assert 55 <= seen["seconds_left"] <= 60 and 0 <= seen["acted_seconds_ago"] <= 5
    file(member, "acted").write_text("another 5\n")
    assert told()["acted_seconds_ago"] is None, "that was another run's step"
    rewrite(member, "until", 1)
    assert told()["seconds_left"] == 0
    member.run(release_script(mine()))
    assert told() is None


def test_an_observation_of_a_lease_that_was_cut_off_is_none():
    assert lease.observed([]) is None
    assert lease.observed(["", "12", "12 3", "x 3 run-a ann"]) is None
