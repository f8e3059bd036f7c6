# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An action plugin as Ansible makes it, without a play: a task of plain values and a connection of the test's own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from ansible.plugins.shell.sh import ShellModule

Exec = Callable[[str, bytes], tuple[int, bytes, bytes]]


class FakeConnection:
    """`answer(command, stdin)` stands for the machine at the other end."""

    transport = "fake"
    become = None
    allow_executable = True

    def __init__(self, answer: Exec | None = None, reset: Callable[[], None] | None = None) -> None:
        self._shell = ShellModule()
        self._shell.tmpdir = None
        self.answer = answer
        self.reset = reset or (lambda: None)
        self.scripts: list[str] = []

    def exec_command(self, cmd: str, in_data: bytes = b"", sudoable: bool = True) -> tuple[int, bytes, bytes]:
        self.scripts.append(in_data.decode())
        if self.answer is None:
            raise AssertionError(f"no machine is to be contacted here, and {cmd} was sent")
        return self.answer(cmd, in_data)


class Shown:
    """Keeps what was printed."""

    def __init__(self) -> None:
        self.text = ""

    def display(self, text: str, *_more: Any) -> None:
        self.text += text


def over(environment: Mapping[str, str]) -> Exec:
    """A machine whose shell is this one, with the environment of a fake member."""

    def answer(command: str, script: bytes) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            ["/bin/sh", "-c", command], input=script, env=dict(environment), capture_output=True, cwd="/", check=False
        )
        return done.returncode, done.stdout, done.stderr

    return answer


def made(
    action: type[Any],
    args: Mapping[str, Any],
    connection: FakeConnection | None = None,
    *,
    check_mode: bool = False,
    no_log: bool = False,
    delegate_to: str | None = "db1",
) -> Any:
    """The action plugin for one task."""
    task = SimpleNamespace(
        args=dict(args),
        check_mode=check_mode,
        diff=False,
        async_val=0,
        action="test",
        delegate_to=delegate_to,
        no_log=no_log,
    )
    play_context = SimpleNamespace(remote_addr="198.51.100.11", remote_user="continuity", executable="/bin/sh")
    templar = SimpleNamespace(template=lambda value: value)
    connection = connection or FakeConnection()
    built = action(task, connection, play_context, loader=None, templar=templar, shared_loader_obj=None)
    built._display = Shown()
    return built
