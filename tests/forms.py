"""What people fill into forms, for the tests of what comes of it."""

from __future__ import annotations

REQUEST = {
    "owner": "Ada",
    "purpose": "try a parser",
    "size": "small",
    "offer": "base",
    "release": None,
    "lifetime": "2d",
}
