# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A picture of the lab with holes proves nothing: what did not answer is asked again, and then refused."""

from __future__ import annotations

from types import SimpleNamespace

import containers
import engine
import names
import pytest
import state
import status
from say import LabError
from topology import CLUSTERS, members

MEMBERS = [known.name for known in members()]
COPY = "unit=active enabled=enabled\nrole=primary timeline=3 standbys=- synchronous=-\nend=reached"
TRACES = f"/var/lib/continuity/payments-db/lease:epoch=7\n/etc/systemd/system/x.service\n{state.END}"


class Box:
    """A running container. `copies` and `traces`: what it says of either, one an asking; the last one from then on."""

    status = "running"

    def __init__(self, copies=(COPY,), traces=(TRACES,)):
        self.name, self.asked = "box", 0
        self.answers = {"unit": list(copies), "traces": list(traces)}

    def exec_run(self, command):
        self.asked += 1
        script = command[-1]
        kind = "unit" if script.endswith("echo end=reached\n") else "traces"
        assert kind == "unit" or script.endswith(f"\necho {state.END}\n")
        answers = self.answers[kind]
        said = answers.pop(0) if len(answers) > 1 else answers[0]
        return SimpleNamespace(exit_code=0, output=said.encode())


@pytest.fixture
def look(monkeypatch):
    """`look(db1=box)`: the picture of a lab of such boxes; members that are not named say everything."""
    monkeypatch.setattr(engine, "connect", lambda: None)
    monkeypatch.setattr(names, "ask", lambda *_asked: "-")
    monkeypatch.setattr(status, "_machine", lambda *_known: "reachable")

    def taken(**boxes):
        monkeypatch.setattr(containers, "existing", lambda _client: {**{name: Box() for name in MEMBERS}, **boxes})
        return state.look()

    return taken


def test_what_a_member_says_is_in_the_picture_and_the_marks_of_its_end_are_not(look):
    seen = look()
    assert set(seen["traces"]) == set(MEMBERS)
    assert seen["traces"]["db1"].splitlines() == TRACES.splitlines()[:-1]
    wanted = {"unit": "active", "enabled": "enabled", "role": "primary"}
    wanted |= {"timeline": "3", "standbys": "-", "synchronous": "-"}
    assert [seen["services"][one.service]["members"]["db1"] for one in CLUSTERS] == [wanted] * len(CLUSTERS)


@pytest.mark.parametrize("hole", ["", "unit=active enabled=enabled"])
def test_a_member_that_said_nothing_or_half_of_it_is_asked_again(look, hole):
    assert look(db1=Box(copies=[hole, hole, COPY])) == look()


@pytest.mark.parametrize("hole", ["", TRACES.splitlines()[0]])
def test_traces_that_were_cut_off_are_asked_for_again(look, hole):
    assert look(db1=Box(traces=[hole, hole, TRACES])) == look()


def test_a_member_that_runs_and_never_says_how_it_is_is_no_picture(look):
    box = Box(copies=[""])
    with pytest.raises(LabError, match="db1 runs and does not say how .*: make lab-status"):
        look(db1=box)
    assert box.asked == 3 * len(CLUSTERS)


@pytest.mark.parametrize("said", ["", TRACES.splitlines()[0]])
def test_traces_without_an_end_are_no_picture(look, said):
    with pytest.raises(LabError, match="db1 runs and does not say what was left on it: make lab-status"):
        look(db1=Box(traces=[said]))


def test_a_member_that_does_not_run_cannot_answer_and_that_is_in_the_picture(look):
    box = Box(copies=[""], traces=[""])
    box.status = "exited"
    seen = look(db1=box)
    assert "db1" not in seen["traces"] and box.asked == 0
    assert {facts["members"]["db1"]["unit"] for facts in seen["services"].values()} == {"unknown"}


def test_only_a_member_that_answers_drops_nothing(monkeypatch):
    class Connection:
        def __enter__(self):
            return SimpleNamespace(recv=lambda _size: b"SSH-")

        def __exit__(self, *_error):
            return None

    monkeypatch.setattr(status.socket, "create_connection", lambda *_to, **_how: Connection())
    known = SimpleNamespace(address="192.0.2.1")
    said = {"0": "reachable", "2": "dropping packets (a fault is not healed)", "": "does not say what it drops"}
    for answer, told in said.items():
        monkeypatch.setattr(status, "run", lambda *_asked, answer=answer, **_how: (0, answer))
        assert status._machine(known, Box()) == told
    answers = iter(["", "", "0"])
    monkeypatch.setattr(status, "run", lambda *_asked, **_how: (0, next(answers)))
    assert status._machine(known, Box()) == "reachable"
