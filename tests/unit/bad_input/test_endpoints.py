# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A plan whose endpoints, addresses, roles or secrets are wrong. A secret is never shown."""

from __future__ import annotations

import pytest

DB = "services.payments-db"
ENDPOINT = f"{DB}.endpoints[0]"
NAME = "name: payments-db.shop.example."
LONG = "a" * 64
SERVER = "allowed: addresses: names cannot be looked up when the name service fails"
ADDRESS = "allowed: an address without a port, or a template"

WRONG = [
    # the record and its zone
    (NAME, "name: payments-db.shop.example", "name", ['add the final dot: "payments-db.shop.example."']),
    (NAME, "name: payments-db", "name", ['"payments-db"', "allowed: an absolute DNS name"]),
    (NAME, "name: payments-db.shop.example..", "name", ["has two dots in a row", "allowed: an absolute DNS name"]),
    (NAME, "name: '*.shop.example.'", "name", ['"*" is no part of a DNS name']),
    (NAME, f"name: {LONG}.shop.example.", "name", ["has 64 characters (limit: 63)"]),
    (NAME, f"name: {'a.' * 125}shop.example.", "name", ["is longer than 253 characters"]),
    (NAME, "name: pаyments.shop.example.", "name", ["is U+0430 CYRILLIC SMALL LETTER A", "xn-- form"]),
    (NAME, "name: bücher.shop.example.", "name", ['"bücher" is no part', "U+00FC", "xn-- form"]),
    (NAME, "name: a;reboot.shop.example.", "name", ['"a;reboot" is no part of a DNS name']),
    (NAME, 'name: "a\\nb.shop.example."', "name", ['"a\\nb.shop.example." is not possible', "one line of text"]),
    (NAME, 'name: "{{ name }}.shop.example."', "name", ['"{{ name }}" is no part of a DNS name']),
    (
        NAME,
        "name: payments-db.other.example.",
        "name",
        ['is not in zone "shop.example."', "that ends in .shop.example."],
    ),
    ("zone: shop.example.", "zone: shop.example", "zone", ['add the final dot: "shop.example."']),
    ("zone: shop.example.", "zone: '.'", "zone", ["is the root of all names"]),
    ("zone: shop.example.", "zoen: shop.example.", "zoen", ['unknown key (did you mean "zone"?)']),
    ("ttl: 5s", "ttl: 5", "ttl", ['"5": give a unit, for example 5s']),
    ("ttl: 5s", "ttl: 0s", "ttl", ['"0s" is no time to live', "allowed: whole seconds from 1s to 2147483647s"]),
    ("ttl: 5s", "ttl: 30000d", "ttl", ['"30000d" is no time to live']),
    ("ttl: 5s", "type: TXT", "type", ['"TXT" is not possible', "allowed: A, AAAA, CNAME"]),
    ("ttl: 5s", "type: aaaa", "type", ['"aaaa" is not possible', "allowed: A, AAAA, CNAME"]),
    # the name servers
    ("[198.51.100.153]", "[]", "servers", ["is empty; allowed: a list of IP addresses"]),
    ("[198.51.100.153]", "198.51.100.153", "servers", ['"198.51.100.153" is not a list']),
    ("[198.51.100.153]", "[ns1.shop.example]", "servers[0]", ['"ns1.shop.example" is not an IP address', SERVER]),
    ("[198.51.100.153]", "[198.51.100.0153]", "servers[0]", ['"198.51.100.0153" is not an IP address', SERVER]),
    ("[198.51.100.153]", "['198.51.100.153:53']", "servers[0]", ["is not an IP address", SERVER]),
    ("[198.51.100.153]", "[3325256857]", "servers[0]", ['"3325256857" is not text; allowed: an IP address']),
    ("[198.51.100.153]", "[0.0.0.0]", "servers[0]", ['"0.0.0.0" is not the address of one machine']),
    ("[198.51.100.153]", "['ff02::1']", "servers[0]", ['"ff02::1" is not the address of one machine']),
    ("[198.51.100.153]", "['2001:db8::1', '2001:DB8:0::1']", "servers[1]", ['the same address as "2001:db8::1"']),
    ("ttl: 5s", "port: 70000", "port", ['"70000" is not possible; allowed: a port number from 1 to 65535']),
]


@pytest.mark.parametrize(
    ("old", "new", "field", "says"), WRONG, ids=[f"{field}-{new}"[:60] for _old, new, field, _says in WRONG]
)
def test_records_and_servers(errors_of, assert_told, old, new, field, says):
    assert_told(errors_of(old, new), f"{ENDPOINT}.{field}", *says)


MEMBERS = [
    ("address: ''", "address", ['"" is not possible', "allowed: an IP address or host name"]),
    ("address: 198.51.100.11:5432", "address", ['"198.51.100.11:5432" is neither an IP address nor', ADDRESS]),
    ("address: http://db2/", "address", ['"http://db2/" is neither', ADDRESS]),
    ("address: 198.51.100.300", "address", ['"198.51.100.300" is neither', ADDRESS]),
    ("replication_address: 198.51.100.012", "replication_address", ['"198.51.100.012" is neither', ADDRESS]),
    ("adress: db2", "adress", ['unknown key (did you mean "address"?)']),
    ("colour: red", "colour", ["unknown key", "allowed: host, cluster, port"]),
]


@pytest.mark.parametrize(("typed", "field", "says"), MEMBERS)
def test_members(errors_of, assert_told, typed, field, says):
    assert_told(errors_of("{host: db2, port: 5433}", f"{{host: db2, {typed}}}"), f"{DB}.members[1].{field}", *says)


ROLES = [
    ("dr.engine_postgresql", "dr.engine_postgrsql", "engine.role", ["unknown engine role", 'dr.engine_postgresql"?']),
    ("dr.engine_postgresql", "dr.fence_systemd", "engine.role", ["is no engine role", "continuity.dr.engine_..."]),
    ("dr.fence_systemd", "dr.fence_system", "fence.role", ["unknown fence role", '"continuity.dr.fence_systemd"?']),
    ("{role: continuity.dr.fence_systemd}", "{rol: x}", "fence.role", ["is missing", "allowed: a role's full name"]),
    ("cluster: 15/main", "custer: 15/main", "engine.custer", ['unknown key (did you mean "cluster"?)']),
    ("cluster: 15/main", "shards: 3", "engine.shards", ["unknown key", "allowed: role, cluster, port"]),
    ("role: continuity.dr.engine_postgresql, ", "", "engine.role", ["is missing", "allowed: a role's full name"]),
]


CLUSTER, NAMED = "allowed: <version>/<name>, for example 15/main", "allowed: letters, digits and _ . : -"
OF_A_CLUSTER = [
    ("cluster: 15-main", "cluster", ['"15-main"', CLUSTER]),
    ("cluster: 15/../main", "cluster", ['"15/../main"', CLUSTER]),
    ("cluster: 15/", "cluster", ['"15/"', CLUSTER]),
    ("cluster: ١٥/main", "cluster", [CLUSTER]),
    ("cluster: 15/main, unit: 'a b.service'", "unit", ['"a b.service"', "allowed: a unit of systemd"]),
    ("cluster: 15/main, user: 'post gres'", "user", ['"post gres"', NAMED]),
    (
        "cluster: 15/main, data_directory: '/a b'",
        "data_directory",
        ['"/a b"', "allowed: an absolute path without spaces"],
    ),
    ("cluster: 15/main, replication: {user: 'a b'}", "replication.user", ['"a b"', NAMED]),
]


@pytest.mark.parametrize(("typed", "field", "says"), OF_A_CLUSTER)
def test_what_names_no_cluster_is_told_before_a_member_is_asked(errors_of, assert_told, typed, field, says):
    assert_told(errors_of("cluster: 15/main", typed), f"{DB}.engine.{field}", *says)


def test_the_same_of_a_member_and_all_of_it_at_once(errors_of, assert_told):
    found = errors_of("{host: db2, port: 5433}", "{host: db2, cluster: 15-b, unit: 'x y'}")
    assert_told([text for text in found if ".cluster" in text], f"{DB}.members[1].cluster", '"15-b"', CLUSTER)
    assert_told([text for text in found if ".unit" in text], f"{DB}.members[1].unit", '"x y"')
    assert errors_of("cluster: 15/main", 'cluster: "{{ of_this_machine }}"') == []


@pytest.mark.parametrize(("old", "new", "field", "says"), ROLES)
def test_roles_and_their_keys(errors_of, assert_told, old, new, field, says):
    assert_told(errors_of(old, new), f"{DB}.{field}", *says)


def test_a_role_of_others_takes_what_it_likes(errors_of):
    other = "role: acme.dr.engine_cache, shards: 3, prot: 1"
    assert errors_of("role: continuity.dr.engine_postgresql, cluster: 15/main", other) == []


CANARY = "hunter2"  # stands where a secret does, in every row
SECRETS = [
    ("secret: {typed}", CANARY, "key.secret", ["is not base64", "allowed: a template, a vaulted value, or base64"]),
    ("secret: {typed}", "[hunter2]", "key.secret", ["is not text", "allowed: a template or a vaulted value"]),
    ("secret: {typed}", "{a: hunter2}", "key.secret", ["is not text"]),
    ("secret: {typed}", '"{{ hunter2"', "key.secret", ["is a template that is not closed"]),
    ("secret: {typed}", "$ANSIBLE_VAULT;hunter2", "key.secret", ["is vaulted text without the tag !vault"]),
    ("secret: {typed}", "!vault hunter2", "key.secret", ["has the tag !vault and is no vaulted text"]),
    ("secret: {typed}", "0x4a75", "key.secret", ["is read as another number"]),
    ("secret: {typed}", "012345", "key.secret", ["is read as another number"]),
    (
        "secert: {typed}",
        CANARY,
        "key.secert",
        ['unknown key (did you mean "secret"?)', "allowed: name, algorithm, secret"],
    ),
    ("secert: {typed}", CANARY, "key.secret", ["is missing"]),
    (
        "secret: x, algorithm: {typed}",
        "hmac-md5",
        "key.algorithm",
        ['"hmac-md5" is not possible', "allowed: hmac-sha224"],
    ),
    ("secret: x, algoritm: {typed}", CANARY, "key.algoritm", ['(did you mean "algorithm"?)']),
]


@pytest.mark.parametrize(("entry", "typed", "field", "says"), SECRETS)
def test_keys(errors_of, assert_told, entry, typed, field, says):
    errors = errors_of('secret: "{{ vault_tsig_secret }}"', entry.replace("{typed}", typed))
    assert_told(errors, f"{ENDPOINT}.{field}", *says)
    if not field.endswith("algorithm"):
        assert [text for text in errors if typed in text or CANARY in text] == []


WHOLE_KEYS = [CANARY, "[hunter2]", "{name: hunter2}", "~", "{}", '"{{ hunter2"', "!vault hunter2", "5_1"]


@pytest.mark.parametrize("typed", WHOLE_KEYS)
@pytest.mark.parametrize("place", ['{name: continuity, secret: "{{ vault_tsig_secret }}"}', '"{{ vault_canary }}"'])
def test_what_stands_for_a_secret_is_not_shown(errors_of, plan_text, place, typed):
    """Also not in what the library says of a text that is broken later."""
    for text in (plan_text.replace(place, typed), plan_text.replace(place, typed) + "  broken: [\n"):
        assert [error for error in errors_of(text=text) if CANARY in error or "5_1" in error] == []
