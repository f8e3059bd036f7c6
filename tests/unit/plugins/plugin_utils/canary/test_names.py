# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import socket
import time

import dns.rcode
import pytest

from ansible_collections.continuity.dr.plugins.plugin_utils.canary import names
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.names import Names, NoAddress

NAME = "payments-db.shop.example."


def test_every_look_up_asks_again(name_server) -> None:
    server = name_server()
    server.addresses = ["198.51.100.11"]
    looked = Names(NAME, [server.resolver])
    assert looked.look_up().addresses == ("198.51.100.11",)
    server.addresses = ["203.0.113.11"]
    assert looked.look_up().addresses == ("203.0.113.11",), "a remembered answer would hide the switch"
    assert server.asked == 2


def test_name_servers_are_asked_in_their_order(name_server) -> None:
    first, second = name_server(), name_server()
    first.addresses, second.addresses = ["198.51.100.11"], ["203.0.113.11"]
    looked = Names(NAME, [first.resolver, second.resolver])
    assert {looked.look_up().addresses for _time in range(3)} == {("198.51.100.11",)}
    assert second.asked == 0


def test_a_silent_name_server_costs_its_time_once(name_server) -> None:
    dead, alive = name_server(), name_server()
    dead.silent, alive.addresses = True, ["203.0.113.11"]
    looked = Names(NAME, [dead.resolver, alive.resolver])
    began = time.monotonic()
    for _time in range(4):
        assert looked.look_up().addresses == ("203.0.113.11",)
    assert 0.4 < time.monotonic() - began < 1.0
    assert dead.asked == 1


@pytest.mark.parametrize("rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_a_name_server_that_cannot_answer_is_passed_over(name_server, rcode) -> None:
    broken, alive = name_server(), name_server()
    broken.rcode, alive.addresses = rcode, ["203.0.113.11"]
    assert Names(NAME, [broken.resolver, alive.resolver]).look_up().addresses == ("203.0.113.11",)


def test_all_silent_is_no_address_within_half_a_second_each(name_server) -> None:
    one, two = name_server(), name_server()
    one.silent = two.silent = True
    began = time.monotonic()
    with pytest.raises(NoAddress, match="gave no answer.*gave no answer"):
        Names(NAME, [one.resolver, two.resolver]).look_up()
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.NOERROR])
def test_a_name_without_an_address_says_who_said_so(name_server, rcode) -> None:
    server = name_server()
    server.rcode = rcode
    with pytest.raises(NoAddress, match=f"no address at 127.0.0.1.*{dns.rcode.to_text(rcode)}"):
        Names(NAME, [server.resolver]).look_up()


@pytest.mark.parametrize("address", ["198.51.100.11", "2001:db8::11"])
def test_an_address_needs_no_resolver(address) -> None:
    assert Names(address).look_up().addresses == (address,)


def test_the_system_s_resolver_is_asked_where_no_other_is_named(monkeypatch) -> None:
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("198.51.100.11", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_named: [entry, entry])
    found = Names(NAME).look_up()
    assert (found.addresses, found.resolver) == (("198.51.100.11",), "system")


def test_a_system_resolver_that_hangs_is_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(names, "SYSTEM_ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_named: time.sleep(1) or [])
    began = time.monotonic()
    with pytest.raises(NoAddress, match="gave no answer"):
        Names(NAME).look_up()
    assert time.monotonic() - began < 0.5


def test_a_name_that_the_system_does_not_know(monkeypatch) -> None:
    def unknown(*_arguments, **_named):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NoAddress, match="knows no payments-db"):
        Names(NAME).look_up()


@pytest.mark.parametrize("resolver", ["ns1.shop.example", "198.51.100.53:5353", "198.51.100.53#x", ""])
def test_a_resolver_is_an_address(resolver) -> None:
    with pytest.raises(CanaryError, match="allowed is an address"):
        Names(NAME, [resolver])


def test_a_missing_library_is_named_with_the_command_that_installs_it(monkeypatch) -> None:
    monkeypatch.setattr(names, "_MISSING", ImportError("No module named 'dns'"))
    with pytest.raises(CanaryError, match="needs dnspython .* -m pip install 'dnspython"):
        Names(NAME, ["198.51.100.53"])
    assert Names("198.51.100.11").look_up().addresses, "without resolvers it is not needed"
