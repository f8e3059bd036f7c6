# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The client: one signed TCP connection to the primary, and plain questions to any server as clients ask them."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from types import TracebackType

from ansible_collections.continuity.dr.plugins.plugin_utils.dns import transport, wire
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Answer, Change, Question
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import DnsError, NoReply, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address, Key

NO_ANSWER = Answer("TIMEOUT")


class Client:
    """The primary, reached at the first of its addresses that answers.

    Every address must lead to the same primary: two servers that accept changes on their own would each
    let one of two competing claims win.

    ``timeout`` bounds each flight (connect, then answer), in seconds. Use it as a context manager.
    """

    def __init__(self, servers: Sequence[Address], key: Key | None, timeout: float) -> None:
        wire.require_library()
        self.servers = list(servers)
        self.key = key
        self.timeout = timeout
        #: the address that answered last
        self.server: Address | None = None
        self._connection: socket.socket | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next message opens another."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def ask(self, *questions: Question) -> list[Answer]:
        """Read record sets in one flight. A server that is connected and silent gives way to the next one."""
        failures = []
        for _turn in self.servers:
            server = self._connect()
            sent = self._encode(questions)
            try:
                received = self._flight(sent)
            except OSError as error:
                received, why = {}, str(error)
            else:
                why = f"no answer within {self.timeout:g} s"
            if len(received) == len(sent):
                return self._decode(sent, received, str(server))
            failures.append(f"{server}: {why}")
            self._give_up(server)
        raise Unreachable("no name server answered: " + "; ".join(failures))

    def change(self, change: Change, *questions: Question) -> tuple[str, list[Answer]]:
        """Send a change, and reads in the same flight; the reads may be answered before or after the change."""
        server = self._connect()
        *reads, update = self._encode(questions, change)
        try:
            received = self._flight([*reads, update])
        except OSError as error:
            self._give_up(server)
            text = f"{server}: the connection broke after the change was sent ({error})"
            raise NoReply(text, server=str(server)) from None
        if update.id not in received:
            self._give_up(server)
            raise NoReply(f"{server} gave no answer to the change within {self.timeout:g} s", server=str(server))
        outcome = wire.decode(received[update.id], update, self.key, str(server))
        missing = [NO_ANSWER] * len(reads)
        return outcome.rcode, self._decode(reads, received, str(server)) if len(received) > len(reads) else missing

    def _encode(self, questions: Sequence[Question], change: Change | None = None) -> list[wire.Sent]:
        """Messages for one flight; their random ids, by which answers are told apart, must differ."""
        while True:
            sent = [wire.encode_question(question, self.key) for question in questions]
            if change:
                sent.append(wire.encode_change(change, self.key))
            if len({message.id for message in sent}) == len(sent):
                return sent

    def _decode(self, sent: Sequence[wire.Sent], received: dict[bytes, bytes], server: str) -> list[Answer]:
        return [wire.decode(received[message.id], message, self.key, server) for message in sent]

    def _flight(self, sent: Sequence[wire.Sent]) -> dict[bytes, bytes]:
        """Send messages together and collect their answers, in whatever order a server gives them."""
        if self._connection is None:
            raise AssertionError("messages are sent after _connect")
        deadline = time.monotonic() + self.timeout
        self._connection.settimeout(self.timeout)
        transport.send_frames(self._connection, [message.wire for message in sent])
        ids, received = {message.id for message in sent}, {}
        for answer in transport.receive_frames(self._connection, deadline):
            if answer[:2] in ids and len(answer) >= 12:
                received[answer[:2]] = answer
            if len(received) == len(ids):
                break
        return received

    def _connect(self) -> Address:
        if self._connection is None or self.server is None:
            try:
                self.server, self._connection = transport.connect_first(self.servers, self.timeout)
            except transport.NoConnection as error:
                raise Unreachable(f"no name server can be reached: {error}") from None
        return self.server

    def _give_up(self, server: Address) -> None:
        """Close the connection and prefer every other address from now on."""
        self.close()
        self.servers.sort(key=lambda address: address == server)


def ask_server(server: Address, question: Question, timeout: float) -> Answer:
    """One unsigned question over UDP, as resolvers ask it; NO_ANSWER where none came or it cannot be read."""
    sent = wire.encode_question(question, None)
    deadline = time.monotonic() + timeout
    answer = transport.ask_udp(server, sent.wire, timeout)
    if answer and wire.truncated(answer):
        answer = transport.ask_tcp(server, sent.wire, max(deadline - time.monotonic(), 0.05))
    if answer is None:
        return NO_ANSWER
    try:
        return wire.decode(answer, sent, None, str(server))
    except DnsError:
        return Answer("FORMERR")
