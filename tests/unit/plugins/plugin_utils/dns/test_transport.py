# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connections that are refused, silent or slow: every wait is bounded, and a dead address costs little."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from dns_named import free_ports

from ansible_collections.continuity.dr.plugins.plugin_utils.dns import transport
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.change import Change, Question, RecordSet
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.client import Client, ask_server
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.errors import NoReply, Unreachable
from ansible_collections.continuity.dr.plugins.plugin_utils.dns.settings import Address

LOOPBACK = "127.0.0.1"
QUESTION = Question("db.shop.example.", "A")
CHANGE = Change("shop.example.", (), (RecordSet("db.shop.example.", "A", ("203.0.113.11",), 5),))


@contextmanager
def tcp_server(talk: Callable[[socket.socket], None]) -> Iterator[Address]:
    """A server that talks to each connection as told."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        ending = threading.Event()

        def serve() -> None:
            listener.settimeout(0.05)
            while not ending.is_set():
                try:
                    connection, _peer = listener.accept()
                except TimeoutError:
                    continue
                connection.settimeout(2)
                with connection:
                    try:
                        talk(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Address(LOOPBACK, listener.getsockname()[1])
        finally:
            ending.set()
            thread.join()


def closed() -> Address:
    return Address(LOOPBACK, free_ports(1)[0])


@contextmanager
def full() -> Iterator[Address]:
    """An address that answers no connection attempt, as a machine without power: a listener whose queue is full."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        fillers = [socket.socket() for _number in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.05)
        try:
            yield Address(LOOPBACK, listener.getsockname()[1])
        finally:
            for filler in fillers:
                filler.close()


def echo(connection: socket.socket) -> None:
    """Answer every message with itself, marked as an answer."""
    for frame in transport.receive_frames(connection, time.monotonic() + 1):
        transport.send_frames(connection, [frame[:2] + bytes([frame[2] | 0x80]) + frame[3:]])


def test_the_first_address_that_answers_wins() -> None:
    with tcp_server(echo) as server:
        address, connection = transport.connect_first([server, closed()], 1.0)
        connection.close()
        assert address == server


def test_a_refused_address_costs_nothing() -> None:
    with tcp_server(echo) as server:
        started = time.monotonic()
        address, connection = transport.connect_first([closed(), server], 5.0)
        connection.close()
        assert address == server
        assert time.monotonic() - started < 0.2


def test_a_silent_address_costs_a_quarter_of_a_second() -> None:
    with full() as silent, tcp_server(echo) as server:
        started = time.monotonic()
        address, connection = transport.connect_first([silent, server], 5.0)
        connection.close()
        assert address == server
        assert 0.2 < time.monotonic() - started < 1.0


def test_no_address_ends_within_the_timeout_with_every_reason() -> None:
    with full() as silent:
        refusing = closed()
        started = time.monotonic()
        with pytest.raises(transport.NoConnection) as caught:
            transport.connect_first([silent, refusing], 0.5)
        assert time.monotonic() - started < 1.0
        assert f"{silent}: no answer within 0.5 s" in str(caught.value)
        assert f"{refusing}: connection refused" in str(caught.value)


def test_an_address_without_a_route_is_a_reason_not_a_crash() -> None:
    with pytest.raises(transport.NoConnection):
        transport.connect_first([Address("2001:db8::1", 53)], 0.3)


def test_messages_cut_anywhere_are_put_together() -> None:
    stream = b"".join(struct.pack("!H", len(body)) + body for body in (b"a" * 3, b"b" * 300))

    def dribble(connection: socket.socket) -> None:
        for start in range(0, len(stream), 7):
            connection.sendall(stream[start : start + 7])

    with tcp_server(dribble) as server:
        _address, connection = transport.connect_first([server], 1.0)
        frames = []
        with connection, pytest.raises(ConnectionError):
            for frame in transport.receive_frames(connection, time.monotonic() + 2):
                frames.append(frame)
    assert frames == [b"a" * 3, b"b" * 300]


def test_a_silent_server_gives_way_to_the_next() -> None:
    with tcp_server(lambda connection: time.sleep(1)) as silent, tcp_server(echo) as talking:
        started = time.monotonic()
        with Client([silent, talking], None, 0.3) as client:
            assert client.ask(QUESTION)[0].rcode == "NOERROR"
            assert client.server == talking
            client.ask(QUESTION)
        assert time.monotonic() - started < 0.9, "the silent server must be asked once, not for each question"


def test_silent_servers_end_in_bounded_time() -> None:
    with tcp_server(lambda connection: time.sleep(1)) as one, tcp_server(lambda connection: time.sleep(1)) as two:
        started = time.monotonic()
        with Client([one, two], None, 0.3) as client, pytest.raises(Unreachable, match="no answer within 0.3 s"):
            client.ask(QUESTION)
        assert time.monotonic() - started < 1.2


def test_a_change_without_an_answer_is_unknown_and_not_sent_elsewhere() -> None:
    """The next server would apply it a second time, or as the only one of two primaries."""
    seen = []

    def record(connection: socket.socket) -> None:
        seen.extend(transport.receive_frames(connection, time.monotonic() + 0.5))

    with (
        tcp_server(lambda connection: time.sleep(1)) as silent,
        tcp_server(record) as other,
        Client([silent, other], None, 0.3) as client,
        pytest.raises(NoReply, match="no answer to the change"),
    ):
        client.change(CHANGE)
    assert seen == []


def test_a_connection_that_breaks_under_a_change_is_unknown() -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.recv(2)

    with (
        tcp_server(hang_up) as server,
        Client([server], None, 1.0) as client,
        pytest.raises(NoReply, match="broke after the change was sent"),
    ):
        client.change(CHANGE)


def test_no_server_means_that_no_change_was_sent() -> None:
    with Client([closed()], None, 0.5) as client, pytest.raises(Unreachable, match="connection refused"):
        client.change(CHANGE)


def test_a_refused_datagram_is_noticed_at_once() -> None:
    started = time.monotonic()
    assert ask_server(closed(), QUESTION, 3.0).rcode == "TIMEOUT"
    assert time.monotonic() - started < 0.5


@contextmanager
def udp_server(talk: Callable[[socket.socket], None]) -> Iterator[Address]:
    with socket.socket(type=socket.SOCK_DGRAM) as channel:
        channel.bind((LOOPBACK, 0))
        channel.settimeout(2)
        thread = threading.Thread(target=talk, args=(channel,))
        thread.start()
        yield Address(LOOPBACK, channel.getsockname()[1])
        thread.join()


def test_a_lost_datagram_is_sent_again() -> None:
    def second_time(channel: socket.socket) -> None:
        channel.recv(4096)
        message, peer = channel.recvfrom(4096)
        channel.sendto(message, peer)

    with udp_server(second_time) as server:
        assert ask_server(server, QUESTION, 0.9).rcode == "NOERROR"


def test_an_answer_to_another_question_is_ignored() -> None:
    def lie_first(channel: socket.socket) -> None:
        message, peer = channel.recvfrom(4096)
        channel.sendto(bytes([message[0] ^ 1]) + message[1:], peer)
        channel.sendto(b"\x00", peer)
        channel.sendto(message[:3] + b"\x05" + message[4:], peer)

    with udp_server(lie_first) as server:
        assert ask_server(server, QUESTION, 1.0).rcode == "REFUSED"


def test_noise_is_an_answer_that_cannot_be_read() -> None:
    def noise(channel: socket.socket) -> None:
        message, peer = channel.recvfrom(4096)
        channel.sendto(message[:2] + b"\x80\x00" + b"\xff" * 20, peer)

    with udp_server(noise) as server:
        assert ask_server(server, QUESTION, 1.0).rcode == "FORMERR"
