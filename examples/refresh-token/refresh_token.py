"""Fetches a new access token when the one on disk is about to expire, and replaces it in one step.

Whoever reads the file sees the old token or the new one, never half of one, and nobody else may read it. When the
token service fails, the old token stays and the run fails. The token itself is never printed.
"""

import hashlib
import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

ANSWER_BYTES_MAX = 64 * 1024


class Refused(Exception):
    """The token service gave no usable token."""


def main():
    work_dir = pathlib.Path(os.environ["WORK_DIR"]).expanduser()
    work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = work_dir / "token.json"
    refresh_before = float(os.environ.get("REFRESH_BEFORE_SECONDS", "86400"))

    left = seconds_left(path)
    if left > refresh_before:
        print(f"token is good for {left:.0f} s more")
        return 0
    try:
        token = fetch(os.environ["TOKEN_URL"], os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
    except (Refused, OSError, ValueError) as error:
        kept = f"the old one is good for {left:.0f} s more" if left > 0 else "there is none that is good"
        print(f"refresh: no new token: {error}; {kept}", file=sys.stderr)
        return 1
    replace(path, token)
    fingerprint = hashlib.sha256(token["access_token"].encode()).hexdigest()[:8]
    print(f"new token {fingerprint}, good for {token['expires_in']} s")
    return 0


def seconds_left(path):
    """How long the token on disk is good; 0 when there is none that can be read."""
    try:
        token = json.loads(path.read_text(encoding="utf-8"))
        return max(0.0, token["expires_at"] - time.time())
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def fetch(url, client_id, client_secret):
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    request = urllib.request.Request(url, data=urllib.parse.urlencode(form).encode())
    asked_at = time.time()
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = response.read(ANSWER_BYTES_MAX)
    except urllib.error.HTTPError as error:
        raise Refused(f"{url} answered {error.code}") from error
    token = json.loads(answer)
    if not isinstance(token, dict) or not isinstance(token.get("access_token"), str):
        raise Refused(f"{url} answered without an access_token")
    if not isinstance(token.get("expires_in"), int) or token["expires_in"] <= 0:
        raise Refused(f"{url} answered without a time to live")
    # Counted from before the request: a token is never thought to live longer than it does.
    token["expires_at"] = asked_at + token["expires_in"]
    return token


def replace(path, token):
    """Writes beside and renames. The new file is nobody else's from its first byte."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(token, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


if __name__ == "__main__":
    sys.exit(main())
