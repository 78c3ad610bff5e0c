"""Applies each numbered SQL script once, in order, and records it in the database itself.

A script and its record are one transaction: a script that fails, or a machine that dies, leaves the database at the
version before it. A script that changed after it was applied is refused, since nobody can tell what the database holds.
"""

import hashlib
import os
import pathlib
import re
import sqlite3
import sys

NAME = re.compile(r"(\d{3})_[a-z0-9_]+\.sql")


class Refused(Exception):
    """The scripts and the database do not fit together."""


def main():
    work_dir = pathlib.Path(os.environ["WORK_DIR"]).expanduser()
    scripts_dir = pathlib.Path(os.environ.get("SCRIPTS_DIR", "migrations")).expanduser()
    work_dir.mkdir(parents=True, exist_ok=True)
    # No implicit transactions: this program begins and commits itself.
    database = sqlite3.connect(work_dir / "app.db", timeout=30, isolation_level=None)
    try:
        bring_up_to_date(database, read_scripts(scripts_dir))
    except (Refused, sqlite3.Error, OSError) as error:
        print(f"migrate: {error}", file=sys.stderr)
        return 1
    finally:
        database.close()
    return 0


def read_scripts(folder):
    """All scripts as (version, name, text), without a gap in the versions."""
    scripts = []
    for path in sorted(folder.glob("*.sql")):
        match = NAME.fullmatch(path.name)
        if not match:
            raise Refused(f"{path.name} is not named like 001_what_it_does.sql")
        scripts.append((int(match[1]), path.name, path.read_text(encoding="utf-8")))
    versions = [version for version, _, _ in scripts]
    if versions != list(range(1, len(scripts) + 1)):
        raise Refused(f"the scripts are numbered {versions}, not 1 to {len(scripts)}")
    return scripts


def bring_up_to_date(database, scripts):
    database.execute(
        "CREATE TABLE IF NOT EXISTS schema_version "
        "(version INTEGER PRIMARY KEY, script TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL)"
    )
    applied = dict(database.execute("SELECT version, sha256 FROM schema_version"))
    if len(applied) > len(scripts):
        raise Refused(f"the database is at version {len(applied)}, the scripts end at {len(scripts)}")
    print(f"database at version {len(applied)}, scripts at {len(scripts)}")
    for version, name, text in scripts:
        digest = hashlib.sha256(text.encode()).hexdigest()
        if version not in applied:
            apply(database, version, name, text, digest)
            print(f"applied {name}")
        elif applied[version] != digest:
            raise Refused(f"{name} changed after it was applied; add a new script instead")
    print(f"up to date at version {len(scripts)}")


def apply(database, version, name, text, digest):
    database.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements(text):
            database.execute(statement)
        database.execute(
            "INSERT INTO schema_version VALUES (?, ?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
            (version, name, digest),
        )
        database.execute("COMMIT")
    except sqlite3.Error as error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise Refused(f"{name} failed, the database stays at version {version - 1}: {error}") from error


def statements(text):
    """The statements of a script. `executescript` would commit the open transaction."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


if __name__ == "__main__":
    sys.exit(main())
