"""What a call can fail with: OpenNebula's codes, and the faults of the XML-RPC layer below them."""

AUTHENTICATION = 0x0100
AUTHORIZATION = 0x0200
NO_EXISTS = 0x0400
ACTION = 0x0800
INTERNAL = 0x2000
ALLOCATE = 0x4000


class OneError(Exception):
    """A failed call: it is answered as `[false, "[method] text", code, oid, -1]`."""

    def __init__(self, code: int, text: str, oid: int = -1) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.oid = oid


class Fault(Exception):
    """An XML-RPC fault: the call never reached OpenNebula's own code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class ParseError(Exception):
    """Template text that oned's parser refuses; which code it becomes depends on the call."""


def missing(label: str, oid: int) -> OneError:
    """Object `oid` does not exist. label: oned's words for the kind ("virtual machine")."""
    return OneError(NO_EXISTS, f"Error getting {label} [{oid}].", oid)


def denied(uid: int, text: str) -> OneError:
    """User `uid` may not do this: rights, quota, lock and restricted attribute all look so."""
    return OneError(AUTHORIZATION, f"User [{uid}] : {text}.")
