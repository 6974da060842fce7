"""Who calls: sessions `user:password` or `user:token`."""

import hashlib
import hmac
import time

from lab.opennebula.errors import AUTHENTICATION, OneError
from lab.opennebula.model import User
from lab.opennebula.world import World

REFUSED = "User couldn't be authenticated, aborting call."


def hashed(password: str) -> str:
    """How oned keeps a password."""
    return hashlib.sha256(password.encode()).hexdigest()


def authenticate(world: World, session: str) -> User:
    """The user of a session. Raises OneError AUTHENTICATION, the same for every reason."""
    name, colon, secret = session.partition(":")
    user = world.users.find(name) if colon else None
    if user is None or not user.enabled or not _accepted(user, secret):
        raise OneError(AUTHENTICATION, REFUSED)
    return user


def _accepted(user: User, secret: str) -> bool:
    if hmac.compare_digest(user.password, hashed(secret)):
        return True
    expires = user.tokens.get(secret)
    return expires is not None and (expires < 0 or expires > time.time())
