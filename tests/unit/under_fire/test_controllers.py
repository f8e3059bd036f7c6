# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Controllers as processes, at a real name server and on members: raced, stopped, killed, started again."""

from __future__ import annotations

import signal
from collections import Counter

from under_fire import mine, wrong_winners

RACERS, ROUNDS = 6, 3


def test_of_many_controllers_at_once_one_writes(fire, chance) -> None:
    for turn in range(ROUNDS):
        runs = [fire.controller(f"race-{turn}-{number}", wait=["observed"]) for number in range(RACERS)]
        for run in runs:
            run.until("observed")
        chance.shuffle(runs)
        for run in runs:
            run.go_on()
        ends = Counter(str(run.until("refused", "acted").get("rule")) for run in runs)
        assert ends[""] == 1, ends
        for run in runs:
            run.process.wait(20)
        assert wrong_winners(fire.effects()) == []
        assert len(fire.effects()) == turn + 1
    assert [effect.epoch for effect in fire.effects()] == sorted({effect.epoch for effect in fire.effects()})


def test_a_holder_that_sleeps_past_its_time_writes_nothing_when_it_wakes(fire) -> None:
    sleeper = fire.controller("sleeper", wait=["held"])
    sleeper.until("held")
    sleeper.send(signal.SIGSTOP)
    early = fire.controller("early")
    assert early.until("refused", "acted")["rule"] == "claim_held"
    fire.pass_time(331)
    assert fire.controller("next").until("refused", "acted")["rule"] == ""
    sleeper.send(signal.SIGCONT)
    sleeper.go_on()
    assert sleeper.until("acted")["rule"] in ("stale_epoch", "lease_lost")
    assert [effect.run for effect in fire.effects()] == ["next"]


def test_one_that_slept_between_claim_and_lease_takes_no_lease(fire) -> None:
    """On a member that the next run could not reach, nothing but its own clock tells it that its claim is over."""
    sleeper = fire.controller("sleeper", wait=["claimed"], members=["db1"], act_on="db1")
    sleeper.until("claimed")
    sleeper.send(signal.SIGSTOP)
    fire.pass_time(331)
    assert fire.controller("next", members=["db2"], act_on="db2").until("refused", "acted")["rule"] == ""
    sleeper.send(signal.SIGCONT)
    sleeper.go_on()
    assert sleeper.until("refused", "acted")["rule"] == "lease_expired"
    assert [effect.run for effect in fire.effects()] == ["next"]


def test_of_two_with_one_member_each_one_writes(fire) -> None:
    runs = [
        fire.controller(f"only-{member}", wait=["observed"], members=[member], act_on=member) for member in fire.members
    ]
    for run in runs:
        run.until("observed")
    for run in runs:
        run.go_on()
    ends = sorted(str(run.until("refused", "acted")["rule"]) for run in runs)
    assert ends[0] == "" and ends[1] in ("claim_held", "stale_epoch"), ends
    assert len(fire.effects()) == 1


def test_the_orphan_of_a_killed_controller_writes_nothing_after_a_takeover(fire) -> None:
    killed = fire.controller("killed", wait=["held"])
    epoch = killed.until("held")["epoch"]
    orphan = fire.start("db2")
    text = fire.script("db2", fire.effect("db2", mine("killed", epoch)))
    orphan.stdin.write(text[:-5])
    orphan.stdin.flush()
    killed.send(signal.SIGKILL)
    killed.process.wait(10)
    fire.pass_time(331)
    assert fire.controller("next").until("refused", "acted")["rule"] == ""
    orphan.communicate(text[-5:], timeout=20)
    assert [effect.run for effect in fire.effects()] == ["next"]


def test_the_same_run_goes_on_at_once_while_another_waits_and_its_first_process_is_out(fire) -> None:
    first = fire.controller("mine", wait=["held"])
    epoch = first.until("held")["epoch"]
    first.send(signal.SIGSTOP)
    other = fire.controller("other")
    assert other.until("refused", "acted")["rule"] == "claim_held"
    again = fire.controller("mine", process="2")
    assert again.until("refused", "acted")["rule"] == ""
    again.until("ended")
    first.send(signal.SIGCONT)
    first.go_on()
    assert first.until("acted")["rule"] in ("stale_epoch", "lease_lost")
    assert [(effect.process, effect.epoch) for effect in fire.effects()] == [("2", epoch + 1)]


def test_of_two_that_start_the_same_run_again_one_goes_on(fire) -> None:
    killed = fire.controller("mine", wait=["held"])
    killed.until("held")
    killed.send(signal.SIGKILL)
    again = [fire.controller("mine", process=str(number), wait=["observed", "held"]) for number in (2, 3)]
    for run in again:
        run.until("observed")
    again[0].go_on()
    again[0].until("held")
    again[1].go_on()
    assert again[1].until("refused", "acted", "held").get("rule") == "stale_epoch"
    again[0].go_on()
    assert again[0].until("refused", "acted")["rule"] == ""
    assert [effect.process for effect in fire.effects()] == ["2"]


def test_what_was_taken_before_a_member_refused_is_given_back(fire) -> None:
    fire.acquire("db2", mine("elsewhere", 1))
    half = fire.controller("half")
    assert half.until("refused", "acted") == {"said": "refused", "rule": "lease_held", "member": "db2"}
    half.until("ended")
    assert fire.state("db1", "lease") == ""
    assert "run=elsewhere" in fire.state("db2", "lease")
    fire.release("db2", mine("elsewhere", 1))
    assert fire.controller("next").until("refused", "acted")["rule"] == ""
    assert [effect.run for effect in fire.effects()] == ["next"]


def test_no_arbiter_no_effect(fire) -> None:
    fire.port = 1  # nobody listens there
    assert fire.controller("lost").until("refused", "acted")["rule"] == "arbiter_unreachable"
    assert fire.effects() == []
    assert fire.state("db1", "lease") == ""


def test_a_decision_that_another_run_has_overtaken_writes_nothing(fire) -> None:
    """It looked, another run came and went, and what it saw is no more: also where nobody holds anything now."""
    late = fire.controller("late", wait=["observed"])
    late.until("observed")
    assert fire.controller("quick").until("refused", "acted", "ended")["rule"] == ""
    fire.runs[-1].until("ended")
    late.go_on()
    assert late.until("refused", "acted")["rule"] == "stale_epoch"
    assert [effect.run for effect in fire.effects()] == ["quick"]


def test_a_first_process_that_wakes_gives_back_nothing_of_the_second(fire) -> None:
    """Or a third run could claim while the second still writes where the third cannot see it."""
    first = fire.controller("mine", wait=["held"])
    first.until("held")
    first.send(signal.SIGSTOP)
    again = fire.controller("mine", process="2", wait=["held"])
    again.until("held")
    first.send(signal.SIGCONT)
    first.go_on()
    first.until("ended")
    assert "run=mine" in fire.state("db2", "lease")
    third = fire.controller("third", members=["db1"], act_on="db1")
    assert third.until("refused", "acted")["rule"] == "claim_held"
    again.go_on()
    assert again.until("acted")["rule"] == ""
    assert [effect.process for effect in fire.effects()] == ["2"]
