from __future__ import annotations

import pytest

from pysendmail.smtp import UsageError
from pysendmail.smtp.sasl import MECHANISMS, Credentials, Mechanism, credentials_of
from pysendmail.smtp.sasl.parameters import KNOWN, Parameters

FULL = Credentials(b"user", b"pass", token=b"token")
WITH_HOST = [(b"digest-uri", b"smtp/mx", False), (b"gssapi-acceptor", b"smtp@mx", False)]


def made(name: bytes, *parameters: tuple[bytes, bytes, bool]) -> Mechanism:
    return MECHANISMS[name](FULL, Parameters([*WITH_HOST, *parameters]), binding=b"bound")


def test_critical_parameter_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match="knows the parameter b'colour'"):
        Parameters([(b"colour", b"blue", True)])


@pytest.mark.parametrize("name", list(MECHANISMS))
def test_uncritical_parameter_that_nobody_knows_is_passed_over(name: bytes) -> None:
    assert made(name, (b"colour", b"blue", False)).name == name


@pytest.mark.parametrize("name", list(MECHANISMS))
@pytest.mark.parametrize("parameter", [b"realm", b"cnonce", b"nonce"])
def test_critical_parameter_needs_a_mechanism_that_knows_it(name: bytes, parameter: bytes) -> None:
    if parameter in MECHANISMS[name].obeyed:
        made(name, (parameter, b"x", True))
    else:
        with pytest.raises(UsageError, match=f"parameter {parameter.decode()} is not known"):
            made(name, (parameter, b"x", True))


def test_each_known_parameter_is_known_to_a_mechanism() -> None:
    assert frozenset().union(*(MECHANISMS[name].obeyed for name in MECHANISMS)) == KNOWN


PROVING = [
    b"DIGEST-MD5", b"GSSAPI", b"SCRAM-SHA-1", b"SCRAM-SHA-1-PLUS", b"SCRAM-SHA-256",
    b"SCRAM-SHA-256-PLUS",
]  # fmt: skip
REVEALING = [b"LOGIN", b"OAUTHBEARER", b"PLAIN", b"XOAUTH2"]


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize("name", list(MECHANISMS))
def test_mutual_leaves_the_mechanisms_in_which_the_server_proves_itself(
    name: bytes, critical: bool
) -> None:
    made(name, (b"mutual", b"false", critical))
    if name in PROVING:
        made(name, (b"mutual", b"true", critical))
    else:
        with pytest.raises(UsageError, match="would not prove itself"):
            made(name, (b"mutual", b"true", critical))


@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize("name", list(MECHANISMS))
def test_secure_leaves_the_mechanisms_that_keep_the_secret(name: bytes, critical: bool) -> None:
    made(name, (b"secure", b"false", critical))
    if name in REVEALING:
        with pytest.raises(UsageError, match="secret itself would be sent"):
            made(name, (b"secure", b"true", critical))
    else:
        made(name, (b"secure", b"true", critical))


@pytest.mark.parametrize("value", [b"True", b"yes", b"1", b""])
def test_switch_that_is_neither_true_nor_false_is_refused(value: bytes) -> None:
    with pytest.raises(UsageError, match="true or false"):
        Parameters([(b"mutual", value, False)])


def test_parameter_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        Parameters([(b"realm", b"a", False), (b"realm", b"b", False)])


def test_default_gives_way_to_what_the_caller_said() -> None:
    parameters = Parameters([(b"realm", b"a", True)])
    parameters.set_default(b"realm", b"b")
    parameters.set_default(b"nonce", b"c")
    assert parameters.get(b"realm") == b"a"
    assert parameters.get(b"nonce") == b"c"
    assert parameters.critical == {b"realm"}
    assert "realm" in repr(parameters)


def test_credentials_in_netsmtps_form_are_the_first_of_each_kind() -> None:
    given = [(b"password", b"one"), (b"token", b"two"), (b"password", b"three")]
    credentials = credentials_of(b"user", b"boss", given)
    assert (credentials.user, credentials.authz) == (b"user", b"boss")
    assert (credentials.password, credentials.token) == (b"one", b"two")


@pytest.mark.parametrize("pair", [(b"digest", b"secret"), (b"secret", b"password")])
def test_credentials_of_another_kind_are_refused(pair: tuple[bytes, bytes]) -> None:
    with pytest.raises(UsageError, match="a password or a token") as caught:
        credentials_of(b"user", b"", [pair])
    assert "secret" not in str(caught.value)


def test_credentials_are_true_when_they_say_anything() -> None:
    assert not Credentials()
    assert all((Credentials(b"u"), Credentials(authz=b"a"), Credentials(token=b"t")))


def test_repr_of_credentials_tells_what_is_held_and_not_its_value() -> None:
    text = repr(Credentials(b"user", b"1234", token=b"5678"))
    assert "1234" not in text
    assert "5678" not in text
    assert "password" in text
    assert "token" in text
