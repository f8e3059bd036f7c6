# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An agent is believed for one thing only: a status that says off, with the right code and the right word."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.fence import agent, metadata

PLUG = {"plug": "7"}
DUMMY = shutil.which("fence_dummy", path="/usr/sbin:/usr/bin")
real = pytest.mark.usefixtures("debians_agents")


@pytest.fixture
def debians_agents():
    assert DUMMY, "fence_dummy is not installed (make packages; Debian: apt-get install fence-agents)"


def said(path, what="calls"):
    file = Path(f"{path}.{what}")
    return file.read_text(encoding="utf-8") if file.exists() else ""


def test_off_is_read_back_and_only_then_evidence(program, fence):
    path = program()
    one = fence((path, PLUG))
    assert one.read("db1", "x").state == "on"
    seen, sent = one.switch("off", "db1", "x", 30)
    assert (seen.state, seen.level, seen.gives, sent) == ("off", 3, 3, True)
    assert seen.text == "fence_fake 7 is off" and seen.time == one.time.now()
    assert said(path).split()[-3:] == ["status", "off", "status"]
    assert one.switch("off", "db1", "x", 30) == (one.read("db1", "x"), False)
    back, sent = one.switch("on", "db1", "x", 30)
    assert (back.state, back.level, sent) == ("on", None, True)


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("[ $action != off ] || { echo 'Success: Powered OFF'; exit 0; }", "is on"),  # lies
        ("[ $action != status ] || { echo 'Status: OFF'; exit 0; }", "ended with 0"),  # the word without the code
        ("[ $action != status ] || { echo 'bad arguments' >&2; exit 2; }", "bad arguments"),  # only the code
        ("[ $action != status ] || { echo 'Status: ON'; echo 'Status: OFF'; exit 2; }", "ended with 2"),
        ("[ $action != status ] || { echo 'Status: OFF'; echo 'Status: ON'; exit 2; }", "ended with 2"),
        ("[ $action != status ] || { echo 'Status: UNKNOWN'; exit 2; }", "ended with 2"),
        ("[ $action != status ] || { echo 'not Status: OFF at all'; exit 2; }", "ended with 2"),
        ("[ $action != status ] || exit 0", "said: nothing"),
        ("[ $action != status ] || { echo 'Failed: login denied' >&2; exit 1; }", "login denied"),
        ("[ $action != status ] || sleep 30", "gave no answer within 1 s"),
    ],
)
def test_anything_but_a_clear_off_is_no_evidence(program, fence, first, told):
    seen, _sent = fence((program(first), PLUG), call_seconds=1).switch("off", "db1", "x", 1)
    assert (seen.level, seen.proves(0)) == (None, False)
    assert seen.state != "off" and told in seen.text


def test_an_agent_that_fails_to_switch_is_asked_all_the_same(program, fence):
    """Many devices give no answer to the order, and do it."""
    path = program('[ $action != off ] || { echo off > "$power"; exit 1; }')
    assert fence((path, PLUG)).switch("off", "db1", "x", 5)[0].proves(3)


def test_a_slow_device_is_waited_for_and_no_longer_than_the_bound(program, fence):
    late = '[ $(grep -c status "$0.calls") -lt 6 ] || { echo "Status: OFF"; exit 2; }'
    slow = program(f"[ $action != status ] || {{ {late}; }}\n[ $action = status ] || exit 0")
    assert fence((slow, PLUG)).switch("off", "db1", "x", 30)[0].state == "off"
    never = fence((program("[ $action != off ] || exit 0", name="fence_never"), PLUG))
    before = never.time.now()
    assert never.switch("off", "db1", "x", 5)[0].state == "on"
    assert 5 <= never.time.now() - before < 6


def test_a_device_that_does_not_answer_is_not_switched(program, fence):
    path = program("[ $action != status ] || exit 1")
    seen, sent = fence((path, PLUG)).switch("off", "db1", "x", 5)
    assert (seen.answers, seen.gives, sent) == (False, None, False)
    assert "off" not in said(path).split()


def test_two_power_supplies_are_off_when_both_are(program, fence):
    path = program('[ "$plug/$action" != 8/off ] || exit 0')
    seen, _sent = fence((path, PLUG), (path, {"plug": "8"})).switch("off", "db1", "x", 1)
    assert (seen.state, seen.level) == ("on", None) and "7 is off" in seen.text and "8 is on" in seen.text
    silent = program('[ "$plug/$action" != 9/status ] || exit 1', name="fence_silent")
    assert fence((path, PLUG), (silent, {"plug": "9"})).read("db1", "x").state == "unknown"


def test_options_travel_on_standard_input_and_are_never_told(program, fence):
    path = program('[ $action != status ] || { echo "Failed: no login with $(grep password $0.in)" >&2; exit 1; }')
    seen = fence((path, {**PLUG, "password": "hunter2 'and'; $more"})).read("db1", "x")
    assert "password=hunter2 'and'; $more" in said(path, "said")
    assert said(path, "argv").split() == []
    assert "hunter2" not in seen.text and "********" in seen.text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"plgu": "7"}, 'did you mean "plug"?'),
        ({"plgu": "7"}, "option plug: is missing"),
        ({**PLUG, "action": "on"}, "option action: the role sets it"),
        ({**PLUG, "missing_as_off": "1"}, "would count as off"),
        ({**PLUG, "method": "cycle"}, "allowed: onoff"),
        ({"plug": "7\naction=on"}, "line break"),
        ({"plug": " 7"}, "a space at an end"),
    ],
)
def test_options_are_compared_with_the_agents_own_metadata(program, fence, options, told):
    with pytest.raises(agent.BadAgent, match="fence_fake") as refused:
        fence((program(), options)).check()
    assert told in str(refused.value)


def test_an_older_name_of_a_needed_option_is_enough(program, fence):
    fence((program(), {"port": "7"})).check()


@pytest.mark.parametrize(
    ("xml", "told"),
    [
        ("no xml at all", "no XML"),
        ("<html/>", "begins with <html>"),
        ('<resource-agent name="f"><actions><action name="off"/></actions></resource-agent>', "no action status"),
    ],
)
def test_an_agent_that_cannot_be_read_back_is_refused(program, fence, xml, told):
    with pytest.raises(agent.BadAgent) as refused:
        fence((program(xml=xml), {})).check()
    assert told in str(refused.value)


def test_an_agent_that_is_not_there_is_named_with_what_installs_it(fence, tmp_path):
    with pytest.raises(agent.BadAgent, match="apt-get install fence-agents"):
        fence((tmp_path / "fence_none", PLUG)).check()
    for name in ("rm", "fence_x; rm", "../fence_x", "", "/bin/sh"):
        with pytest.raises(agent.BadAgent, match="is no name of a fence agent"):
            fence((name, PLUG))
    with pytest.raises(agent.BadAgent, match="at least one"):
        fence()


@pytest.mark.parametrize(("there", "instead"), [('<action name="reboot"/>', ""), ("fence_fake", "fence_sbd")])
def test_an_agent_that_switches_no_power_is_refused(program, fence, there, instead):
    assert there in program.xml
    with pytest.raises(agent.BadAgent, match="switches no power"):
        fence((program(xml=program.xml.replace(there, instead)), PLUG)).check()


@real
@pytest.mark.parametrize("name", ["fence_scsi", "fence_sbd", "fence_ifmib", "fence_kdump", "fence_heuristics_ping"])
def test_debians_agents_that_switch_no_power_are_refused(fence, name):
    with pytest.raises(agent.BadAgent, match="switches no power|has no action status"):
        fence((f"/usr/sbin/{name}", {})).check()


@real
def test_debians_dummy_agent_end_to_end(fence, tmp_path):
    power = tmp_path / "power"
    power.write_text("ON", encoding="utf-8")
    one = fence((DUMMY, {"type": "file", "status_file": str(power)}))
    one.check()
    seen, sent = one.switch("off", "db1", "x", 20)
    assert (seen.state, seen.level, sent) == ("off", 3, True)
    assert one.switch("on", "db1", "x", 20)[0].state == "on"
    with pytest.raises(agent.BadAgent, match='did you mean "status_file"'):
        fence((DUMMY, {"status_fil": str(power)})).check()


@real
@pytest.mark.parametrize("name", ["fence_ipmilan", "fence_redfish", "fence_apc_snmp", "fence_pve"])
def test_the_metadata_of_debians_agents_is_understood(fence, name):
    options = {"ip": "198.51.100.9", "username": "u", "plug": "1"}
    fence((f"/usr/sbin/{name}", options)).check()
    with pytest.raises(agent.BadAgent, match='did you mean "password"'):
        fence((f"/usr/sbin/{name}", {**options, "pasword": "x"})).check()


def test_metadata_is_read_as_it_is_written():
    parsed = metadata.parse(
        "noise before\n<resource-agent name='a'><parameters><parameter name='x' required='1'/>"
        "</parameters><actions><action name='off'/></actions></resource-agent>"
    )
    assert parsed == metadata.Metadata("a", {"x": ""}, frozenset({"x"}), frozenset({"off"}))
