# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fence is proven by what is read back, or it is no fence: a real shell runs the scripts, systemd is a stand-in."""

from __future__ import annotations

import socket
import subprocess

import pytest
from fake_member import FakeMember

from ansible_collections.continuity.dr.plugins.plugin_utils import lease, systemd
from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease, acquire_script
from ansible_collections.continuity.dr.plugins.plugin_utils.systemd import Proof, UnitState, parse

SERVICE = "payments-db"
UNIT = "postgresql@15-main.service"
OTHER = "pooler.service"
MINE = Lease(SERVICE, "run-a", 8)


@pytest.fixture
def member(tmp_path, monkeypatch):
    made = FakeMember(tmp_path)
    monkeypatch.setattr(lease, "STATE_DIRECTORY", str(made.state))
    made.unit(UNIT, ActiveState="active")
    return made


@pytest.fixture
def listening():
    """A TCP port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def fence(member, *units, ports=(), seconds=5, held=None):
    output = member.run(systemd.fence_script(SERVICE, held, units or (UNIT,), ports, seconds))
    return output, parse(output.stdout, units or (UNIT,))


def verbs(member):
    return [argv[1] for _user, argv in member.commands]


def test_a_unit_is_masked_before_it_is_stopped_and_read_back(member):
    output, proof = fence(member)
    assert proof.fenced and str(proof) == f"{UNIT} is masked, inactive, 0 processes"
    assert member.commands == [("root", ["/usr/bin/systemctl", verb, UNIT]) for verb in ("mask", "stop")]
    assert output.lines.count("@@changed") == 2


def test_a_name_that_no_unit_has_is_not_masked_and_proves_nothing(member):
    member.unit("postgersql.service", LoadState="not-found", ActiveState="inactive")
    _output, proof = fence(member, "postgersql.service")
    assert not proof.fenced and str(proof) == "postgersql.service is not-found, inactive, 0 processes"
    assert member.commands == []


def test_a_fenced_unit_is_left_as_it_is(member):
    fence(member)
    output, proof = fence(member)
    assert proof.fenced and "@@changed" not in output.lines
    assert verbs(member) == ["mask", "stop"]


@pytest.mark.parametrize("stop", ["exit 1", "exec sleep 30"])
def test_a_unit_that_does_not_stop_is_killed_at_its_bound(member, stop):
    member.hook(UNIT, "stop", stop)
    _output, proof = fence(member, seconds=1)
    assert proof.fenced and verbs(member) == ["mask", "stop", "kill"]
    assert member.commands[-1][1] == ["/usr/bin/systemctl", "kill", "--signal=KILL", UNIT]


def test_a_unit_that_cannot_be_masked_is_not_fenced(member):
    member.hook(UNIT, "mask", "exit 1")
    _output, proof = fence(member)
    assert not proof.fenced and str(proof) == f"{UNIT} is loaded, inactive, 0 processes"


def test_a_unit_that_survives_even_the_kill_is_not_fenced(member):
    member.hook(UNIT, "stop", "exit 1")
    member.hook(UNIT, "kill", "exit 1")
    _output, proof = fence(member)
    assert not proof.fenced and "masked, active" in str(proof)


def test_a_port_on_which_somebody_still_listens_is_not_fenced(member, listening):
    free = free_port()
    _output, proof = fence(member, ports=(free, listening))
    assert proof.listening == (listening,)
    assert not proof.fenced and str(proof).endswith(f"; still listening: {listening}")
    assert fence(member, ports=(free,))[1].fenced


def test_one_unit_of_two_is_no_fence(member):
    member.unit(OTHER, ActiveState="active")
    member.hook(OTHER, "mask", "exit 1")
    _output, proof = fence(member, UNIT, OTHER)
    assert [unit.fenced for unit in proof.units] == [True, False] and not proof.fenced


def test_processes_that_are_left_in_the_units_group_are_counted(member):
    group = member.home / "group"
    group.mkdir()
    (group / "cgroup.procs").write_text("4711\n4712\n")
    member.unit(UNIT, LoadState="masked", ActiveState="inactive", ControlGroup=f"/../../..{group}")
    proof = parse(member.run(systemd.prove_script([UNIT], [])).stdout, [UNIT])
    assert proof.units[0].processes == 2 and not proof.fenced
    (group / "cgroup.procs").write_text("")
    assert parse(member.run(systemd.prove_script([UNIT], [])).stdout, [UNIT]).fenced


def test_without_the_lease_nothing_is_stopped(member):
    output, proof = fence(member, held=MINE)
    assert (output.rc, lease.refusal(output.stdout)) == (lease.REFUSED, ("lease_lost", ""))
    assert member.commands == [] and not proof.fenced
    member.run(acquire_script(MINE, 60))
    assert fence(member, held=MINE)[1].fenced


def test_proving_changes_nothing(member):
    before = member.unit(UNIT)
    proof = parse(member.run(systemd.prove_script([UNIT], [])).stdout, [UNIT])
    assert not proof.fenced and member.unit(UNIT) == before and member.commands == []


def test_a_release_unmasks_and_starts_nothing(member):
    fence(member)
    output = member.run(systemd.release_script(SERVICE, None, [UNIT], []))
    assert output.lines.count("@@changed") == 1 and verbs(member)[-1] == "unmask"
    assert member.unit(UNIT) == {"LoadState": "loaded", "ActiveState": "inactive"}
    again = member.run(systemd.release_script(SERVICE, None, [UNIT], []))
    assert "@@changed" not in again.lines
    refused = member.run(systemd.release_script(SERVICE, MINE, [UNIT], []))
    assert refused.rc == lease.REFUSED


WHOLE = f"@@unit {UNIT} masked inactive 0\n@@unit {OTHER} masked failed 0\n@@listening\n"


def test_the_whole_answer_is_a_proof():
    assert parse(WHOLE, [UNIT, OTHER]).fenced


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "sudo: a password is required\n",
        WHOLE.replace("@@listening\n", ""),
        WHOLE.replace("@@listening", "@@listening 1538"),
        WHOLE.replace(f"@@unit {OTHER} masked failed 0\n", ""),
        WHOLE.replace("masked failed 0", "failed 0"),
        WHOLE.replace("masked failed 0", "masked failed"),
        WHOLE.replace("masked failed 0", "masked failed many"),
        WHOLE.replace("masked inactive", "loaded inactive"),
        WHOLE.replace("masked inactive", "masked deactivating"),
        WHOLE.replace("inactive 0", "inactive 1"),
        WHOLE.replace(OTHER, "another.service"),
    ],
)
def test_anything_less_is_none(answer):
    assert not parse(answer, [UNIT, OTHER]).fenced


def test_no_units_are_no_proof():
    assert not parse("@@listening\n", []).fenced
    assert not Proof((), ()).fenced


@pytest.mark.parametrize("active", systemd.ACTIVE)
def test_a_unit_at_work_is_not_fenced(active):
    assert UnitState(UNIT, "masked", "inactive", 0).fenced
    assert not UnitState(UNIT, "masked", active, 0).fenced


@pytest.mark.parametrize("unit", ["a'b.service", "$(touch PWNED).service", "two words.service"])
@pytest.mark.parametrize("held", [None, MINE])
def test_every_script_is_shell_whatever_a_unit_is_called(member, unit, held):
    for script in (
        systemd.fence_script(SERVICE, held, [unit], [5432], 5),
        systemd.prove_script([unit], [5432]),
        systemd.release_script(SERVICE, held, [unit], []),
    ):
        done = subprocess.run(["/bin/sh", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        member.run(script)
    assert not list(member.home.rglob("PWNED*"))
