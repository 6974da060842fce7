"""A session at Airflow's REST API, version 2: it logs in by itself and reads page by page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Self

import httpx

PAGE = 100  # the API gives at most this many rows at once
AWAY_S = 60.0  # a restarted api-server is back after about 15 s
ANSWER_S = 90.0  # an answer takes milliseconds, on a starved machine half a minute


class Api:
    """A client that logs in by itself. Reads survive a restart of the api-server."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self.user = user
        self._password = password
        self.http = httpx.Client(base_url=url, timeout=ANSWER_S, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.http.close()

    def log_in(self) -> None:
        """Get a token, which is valid for a day.

        Raises:
            httpx.HTTPStatusError: the password is wrong (401).
        """
        answer = self.http.post(
            "/auth/token", json={"username": self.user, "password": self._password}
        )
        answer.raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str, **params: Any) -> Any:
        """Return what the API says at *path* (below /api/v2), tried again while it is away."""
        deadline = time.monotonic() + AWAY_S
        while True:
            try:
                return self.send("GET", path, params=params)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def send(self, method: str, path: str, **options: Any) -> Any:
        """Send one request and return the answer's JSON, None when it is empty.

        Raises:
            httpx.HTTPStatusError: any answer but 2xx; its text is added as a note.
        """
        if "Authorization" not in self.http.headers:
            self.log_in()
        answer = self.http.request(method, f"/api/v2{path}", **options)
        if answer.status_code == 401:
            self.log_in()
            answer = self.http.request(method, f"/api/v2{path}", **options)
        try:
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            error.add_note(answer.text[:2000])
            raise
        return answer.json() if answer.content else None

    def pages(self, path: str, rows: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield all rows of a list, page by page."""
        seen = 0
        while True:
            page = self.get(path, limit=PAGE, offset=seen, **params)
            yield from page[rows]
            seen += len(page[rows])
            if not page[rows] or seen >= page["total_entries"]:
                return

    def exists(self, path: str) -> bool:
        """Return whether there is something at *path*."""
        try:
            self.get(path)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == 404:
                return False
            raise
        return True
