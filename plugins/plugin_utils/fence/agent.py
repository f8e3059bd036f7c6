# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a fence agent by its standard interface and believe only what its status says afterwards.

Options reach it as ``name=value`` lines on standard input: no secret stands in a process list.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence, State
from ansible_collections.continuity.dr.plugins.plugin_utils.fence import metadata

#: Where Debian and others put the programs; the login's own PATH may lack the first.
PATHS = "/usr/sbin:/usr/bin:/sbin:/bin"
NOT_FOUND = 127
GIVES = 3
_PROGRAM = re.compile(r"(/[A-Za-z0-9_.+-]+)*/?fence_[A-Za-z0-9_-]+", re.ASCII)
_STATUS = re.compile(r"^\s*Status:\s*(\S+)\s*$", re.IGNORECASE | re.MULTILINE)
#: A status of off is exit code 2 *and* the word: 2 alone is also what some agents end with after bad arguments.
_STATES: Mapping[tuple[int, str], State] = {(0, "ON"): "on", (2, "OFF"): "off"}
#: Options whose value may be printed; every other one may be a secret.
_PUBLIC = frozenset({"plug", "port", "ip", "ipaddr", "username", "login", "region", "zone", "action", "ipport"})
SHOWN_CHARACTERS = 200


class BadAgent(ValueError):
    """The agent, or its options, cannot be used. The message holds every reason."""


@dataclass(frozen=True)
class Answer:
    """What the agent left: exit code and both streams."""

    rc: int
    stdout: str
    stderr: str


#: Runs a shell script where the agent is installed, at most so many seconds; None: no answer in time.
Runner = Callable[[str, float], Answer | None]


@dataclass(frozen=True)
class Clock:
    """Time and waiting, given by the caller."""

    now: Callable[[], float]
    wait: Callable[[float], None]


@dataclass(frozen=True)
class Device:
    """One agent with the options that lead it to one plug. A machine with two power supplies has two of them."""

    agent: str
    options: Mapping[str, str]

    @property
    def name(self) -> str:
        """How a person knows it: agent and plug, nothing that may be a secret."""
        plug = next((self.options[key] for key in ("plug", "port", "ip", "ipaddr") if self.options.get(key)), "")
        return f"{self.agent.rpartition('/')[2]} {plug}".strip()


def script(device: Device, action: str, seconds: float) -> str:
    """Shell that runs the agent once. ``printf`` is the shell's own: its arguments are in no process list."""
    lines = [f"action={action}", *(f"{name}={value}" for name, value in device.options.items())]
    fed = " ".join(shlex.quote(line) for line in lines)
    limit = f"timeout -k 1 {max(1, math.ceil(seconds))}"
    return (
        f'{{\nLC_ALL=C PATH="{PATHS}:$PATH"; export LC_ALL PATH\n'
        f"printf '%s\\n' {fed} | {limit} {shlex.quote(device.agent)}\n}}\n"
    )


def status(answer: Answer | None) -> State:
    """The state that an answer to ``action=status`` proves. Anything but one clear word is unknown.

    >>> status(Answer(2, "Status: OFF", "")), status(Answer(2, "", "bad arguments")), status(None)
    ('off', 'unknown', 'unknown')
    """
    if answer is None:
        return "unknown"
    said = [word.upper() for word in _STATUS.findall(answer.stdout)]
    return _STATES.get((answer.rc, said[0]), "unknown") if len(set(said)) == 1 else "unknown"


def checked_program(agent: str) -> str:
    """The agent's name or path itself. Raises BadAgent for what is no fence agent's."""
    if not _PROGRAM.fullmatch(agent):
        raise BadAgent(f'agent "{agent}": is no name of a fence agent; allowed: fence_<name>, or its absolute path')
    return agent


def problem(device: Device, answer: Answer | None, seconds: float) -> str:
    """Why nothing can be known from an answer, in one line and without secrets."""
    if answer is None or answer.rc in (124, 137):
        return f"gave no answer within {seconds:g} s"
    if answer.rc == NOT_FOUND:
        return "is not installed there (Debian: apt-get install fence-agents)"
    lines = [line.strip() for line in (answer.stderr + "\n" + answer.stdout).splitlines() if line.strip()]
    told = next((line for line in lines if re.search(r"fail|error|denied|unable", line, re.IGNORECASE)), "")
    text = without_secrets(told or (lines[-1] if lines else "nothing"), device.options)
    return f"ended with {answer.rc} and said: {text[:SHOWN_CHARACTERS]}"


def without_secrets(text: str, options: Mapping[str, str]) -> str:
    """The text without the value of any option that may be a secret."""
    for value in sorted((v for k, v in options.items() if k not in _PUBLIC and len(v) > 3), key=len, reverse=True):
        text = text.replace(value, "********")
    return text


class Fence:
    """One member's power: asked, switched, and read back within a bound."""

    def __init__(self, devices: Sequence[Device], run: Runner, clock: Clock, call_seconds: float) -> None:
        if not devices:
            raise BadAgent("devices: is empty; allowed: at least one")
        self.devices = [Device(checked_program(device.agent), device.options) for device in devices]
        self._run = run
        self._clock = clock
        self._call_seconds = call_seconds

    def check(self) -> None:
        """Compare the options with each agent's own metadata. Raises BadAgent with all findings."""
        found = []
        for device in self.devices:
            bare = Device(device.agent, {})
            answer = self._run(script(bare, "metadata", self._call_seconds), self._call_seconds)
            if answer is None or answer.rc != 0:
                found.append(f"{device.agent} {problem(bare, answer, self._call_seconds)}")
                continue
            try:
                described = metadata.parse(answer.stdout)
                found += [f"{device.agent}: {finding}" for finding in metadata.findings(described, device.options)]
            except metadata.NotMetadata as error:
                found.append(f"{device.agent}: {error}")
        if found:
            raise BadAgent("; ".join(dict.fromkeys(found)))

    def read(self, member: str, source: str) -> Evidence:
        """What the devices say now. Off is only what all of them say."""
        states: list[State] = []
        texts, asked = [], self._clock.now()
        for device in self.devices:
            answer = self._run(script(device, "status", self._call_seconds), self._call_seconds)
            state = status(answer)
            states.append(state)
            why = f"{device.name} {problem(device, answer, self._call_seconds)}"
            texts.append(why if state == "unknown" else f"{device.name} is {state}")
        answers = "unknown" not in states
        together: State = "unknown" if not answers else "on" if "on" in states else "off"
        level = GIVES if together == "off" else None
        gives = GIVES if answers else None
        return Evidence(member, source, together, level, answers, gives, "; ".join(texts), self._clock.now(), asked)

    def switch(self, wanted: State, member: str, source: str, seconds: float) -> tuple[Evidence, bool]:
        """Bring all devices to ``wanted`` (on or off) and read back until they say so; and whether anything was sent.

        What the agent ends with after switching proves nothing and stops nothing: only the status counts.
        """
        ends = self._clock.now() + seconds
        seen = self.read(member, source)
        if seen.state in (wanted, "unknown"):
            return seen, False
        for device in self.devices:
            self._run(script(device, wanted, max(1.0, ends - self._clock.now())), max(1.0, ends - self._clock.now()))
        seen = self.read(member, source)
        while seen.state != wanted and self._clock.now() < ends:
            self._clock.wait(0.5)
            seen = self.read(member, source)
        return seen, True
