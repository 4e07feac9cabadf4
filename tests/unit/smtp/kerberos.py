"""The package `gssapi` in memory: one server with fixed tokens, for mechanism and policy."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace


class GssError(Exception):
    """What the package raises for everything."""


class Flag:
    def __init__(self, name: str) -> None:
        self.name = name


class RequirementFlag:
    mutual_authentication = Flag("mutual_authentication")
    integrity = Flag("integrity")
    out_of_sequence_detection = Flag("out_of_sequence_detection")


class Context:
    """A context that stands when the server has said `b"proof"`; wrapping adds brackets."""

    mech = SimpleNamespace(dotted_form="1.2.840.113554.1.2.2")
    initiator_name = "me@EXAMPLE.COM"
    lifetime = 36000
    proves = True
    last_token: bytes | None = None

    def __init__(self, *, name: str, mech: str, flags: list[Flag], usage: str) -> None:
        assert (mech, usage) == ("kerberos", "initiate")
        self.target_name = name
        self.actual_flags = [
            flag
            for flag in flags
            if self.proves or flag is not RequirementFlag.mutual_authentication
        ]
        self.complete = False

    def step(self, token: bytes | None = None) -> bytes | None:
        if token is None:
            return b"ticket"
        if token != b"proof":
            raise GssError("a token that was tampered with")
        self.complete = True
        return self.last_token

    def unwrap(self, message: bytes) -> SimpleNamespace:
        if not (message.startswith(b"[") and message.endswith(b"]")):
            raise GssError("a message that was tampered with")
        return SimpleNamespace(message=message[1:-1])

    def wrap(self, message: bytes, encrypt: bool) -> SimpleNamespace:
        assert not encrypt
        return SimpleNamespace(message=b"[" + message + b"]")


class Package(ModuleType):
    """The part of the package `gssapi` that is used."""

    def __init__(self) -> None:
        super().__init__("gssapi")
        self.RequirementFlag = RequirementFlag
        self.NameType = SimpleNamespace(hostbased_service="hostbased")
        self.MechType = SimpleNamespace(kerberos="kerberos")
        self.exceptions = SimpleNamespace(GSSError=GssError)
        self.SecurityContext: type[Context] = type("SecurityContext", (Context,), {})

    def Name(self, name: str, kind: str) -> str:  # noqa: N802 (the package's name)
        assert kind == "hostbased"
        return name
