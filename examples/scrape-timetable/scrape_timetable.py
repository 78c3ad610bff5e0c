"""Fetches the timetable page, keeps the copy, and writes its table as CSV.

A page that does not hold a timetable (a login form, an error page) must not replace the last good copy: it is checked
before anything is written.
"""

import csv
import html.parser
import io
import os
import pathlib
import sys
import urllib.request

PAGE_BYTES_MAX = 4 * 1024 * 1024
COLUMNS = ["Day", "Time", "Module", "Kind", "Room"]


class Refused(Exception):
    """The page is not a timetable."""


class TableReader(html.parser.HTMLParser):
    """Collects the text of the cells of the table with the id `timetable`, row by row."""

    def __init__(self):
        super().__init__()
        self.rows = []
        self.in_table = False
        self.cell = None

    def handle_starttag(self, tag, attrs):
        if tag == "table" and ("id", "timetable") in attrs:
            self.in_table = True
        elif self.in_table and tag == "tr":
            self.rows.append([])
        elif self.in_table and tag in ("td", "th") and self.rows:
            self.cell = []

    def handle_endtag(self, tag):
        if tag == "table":
            self.in_table = False
        elif tag in ("td", "th") and self.cell is not None:
            self.rows[-1].append(" ".join("".join(self.cell).split()))
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)


def main():
    work_dir = pathlib.Path(os.environ["WORK_DIR"]).expanduser()
    work_dir.mkdir(parents=True, exist_ok=True)
    try:
        page = fetch(os.environ["TIMETABLE_URL"])
        rows = read_rows(page.decode("utf-8"))
    except (Refused, OSError, ValueError) as error:
        print(f"scrape: {error}; the last copy stays", file=sys.stderr)
        return 1

    copy = work_dir / "timetable.html"
    is_new = not copy.exists() or copy.read_bytes() != page
    if is_new:
        replace(work_dir / "timetable.csv", as_csv(rows))
        # The copy goes last: it is what the next run compares with, so a run that died here is made good.
        replace(copy, page)
    print(f"{len(rows)} entries, {'new copy kept' if is_new else 'unchanged'}")
    return 0


def fetch(url):
    with urllib.request.urlopen(url, timeout=20) as response:
        page = response.read(PAGE_BYTES_MAX + 1)
    if len(page) > PAGE_BYTES_MAX:
        raise Refused(f"the page is longer than {PAGE_BYTES_MAX} bytes")
    return page


def read_rows(page):
    reader = TableReader()
    reader.feed(page)
    reader.close()
    if not reader.rows or reader.rows[0] != COLUMNS:
        raise Refused(f"the page has no table with the columns {', '.join(COLUMNS)}")
    rows = reader.rows[1:]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(COLUMNS):
            raise Refused(f"row {number} has {len(row)} cells, not {len(COLUMNS)}")
    if not rows:
        raise Refused("the timetable is empty")
    return rows


def as_csv(rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode()


def replace(path, content):
    """Writes beside and renames: who serves the copy never serves half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.rename(path)


if __name__ == "__main__":
    sys.exit(main())
