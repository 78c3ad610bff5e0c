"""Runs each example's code as a job would, without a server, and checks `expected.json`; then what it does when its
surroundings fail. `python3 test_examples.py`, or as part of `cargo xtask test`.
"""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True  # A test leaves nothing in the repository.
sys.path.insert(0, str(HERE / "services"))
import local_services  # noqa: E402


def job_file(example):
    """What the tests need of a job file, by the rule of README.md: one line for each value."""
    text = (HERE / example / "job.yml").read_text()
    env_text = text.split("\n  env:\n", 1)[1]
    env = dict(re.findall(r'^    ([A-Z_]+): "(.*)"$', env_text, re.MULTILINE))
    language = re.search(r"^  language: (\S+)$", text, re.MULTILINE)[1]
    file = re.search(r"^  file: (\S+)$", text, re.MULTILINE)[1]
    return language, file, env


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="odin-example-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.service = local_services.start(0)
        self.service.RequestHandlerClass.log_message = lambda *_: None
        thread = threading.Thread(target=self.service.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.service.server_close)
        self.addCleanup(self.service.shutdown)

    def env_of(self, example, **changes):
        _, _, env = job_file(example)
        base = "http://127.0.0.1:%d" % self.service.server_address[1]
        env["WORK_DIR"] = str(self.folder / "work")
        for key, path in (("TOKEN_URL", "/token"), ("TIMETABLE_URL", "/timetable")):
            if key in env:
                env[key] = base + path
        env.update(changes)
        return env

    def run_example(self, example, bundle=None, **changes):
        language, file, _ = job_file(example)
        env = self.env_of(example, **changes)
        # An environment as bare as a job's: no proxy, no variables of the person who tests.
        env.setdefault("PATH", os.environ["PATH"])
        env.setdefault("HOME", str(self.folder / "home"))
        return subprocess.run(
            [language, file], cwd=bundle or HERE / example, env=env, capture_output=True, text=True, timeout=60
        )

    def check_expected(self, example, done):
        expected = json.loads((HERE / example / "expected.json").read_text())
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in expected["output_contains"]:
            self.assertIn(text, done.stdout)
        env = self.env_of(example)
        for fact in expected["files"]:
            path = pathlib.Path(re.sub(r"\$\{(\w+)\}", lambda key: env[key[1]], fact["path"]))
            status = os.lstat(path)
            self.assertTrue(stat.S_ISREG(status.st_mode), path)
            for text in fact["contains"]:
                self.assertIn(text.encode(), path.read_bytes())
            if "mode" in fact:
                self.assertEqual(f"{stat.S_IMODE(status.st_mode):04o}", fact["mode"])

    def work(self, name):
        return self.folder / "work" / name


class EveryExample(Case):
    def test_does_its_work_and_does_it_again(self):
        examples = sorted(path.parent.name for path in HERE.glob("*/job.yml"))
        self.assertEqual(len(examples), 4)
        for example in examples:
            with self.subTest(example):
                shutil.rmtree(self.folder / "work", ignore_errors=True)
                self.check_expected(example, self.run_example(example))
                again = self.run_example(example)
                self.assertEqual(again.returncode, 0, again.stderr)

    def test_finds_its_folder_in_the_owners_home_by_default(self):
        _, _, env = job_file("scrape-timetable")
        done = self.run_example("scrape-timetable", WORK_DIR=env["WORK_DIR"])
        self.assertEqual(done.returncode, 0, done.stderr)
        kept = self.folder / "home" / "odin-examples" / "scrape-timetable" / "timetable.csv"
        self.assertTrue(kept.is_file())
        done = self.run_example("prune-stale-files", WORK_DIR="~/x")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.folder / "home" / "x" / "report.txt").is_file())


class PruneStaleFiles(Case):
    def test_what_is_stale_is_gone_and_what_is_fresh_is_not(self):
        stale = self.work("scratch/deep/er/old file\nwith a line")
        stale.parent.mkdir(parents=True)
        stale.write_text("x")
        os.utime(stale, (0, 0))
        fresh = self.work("scratch/fresh")
        fresh.write_text("x")
        done = self.run_example("prune-stale-files", MAKE_SAMPLE="no")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("removed 1 files (1 bytes), kept 1", done.stdout)
        self.assertEqual(sorted(os.listdir(self.work("scratch"))), ["fresh"])

    def test_a_link_out_of_the_folder_is_not_followed(self):
        outside = self.folder / "outside"
        outside.mkdir()
        precious = outside / "precious"
        precious.write_text("x")
        os.utime(precious, (0, 0))
        self.work("scratch").mkdir(parents=True)
        self.work("scratch/link").symlink_to(outside)
        done = self.run_example("prune-stale-files")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(precious.exists())
        self.assertTrue(self.work("scratch/link").is_symlink())

    def test_a_folder_that_is_not_there_is_an_error(self):
        done = self.run_example("prune-stale-files", MAKE_SAMPLE="no")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("is not a folder; nothing was deleted", done.stderr)

    def test_an_age_that_is_no_number_is_an_error(self):
        for minutes in ("0", "-1", "1h", "60 -o -true"):
            done = self.run_example("prune-stale-files", STALE_MINUTES=minutes)
            self.assertEqual(done.returncode, 1, minutes)


class MigrateDatabase(Case):
    def copy_with(self, name, text):
        bundle = self.folder / "bundle"
        shutil.copytree(HERE / "migrate-database", bundle)
        (bundle / "migrations" / name).write_text(text)
        return bundle

    def test_a_new_script_is_applied_alone(self):
        self.run_example("migrate-database")
        bundle = self.copy_with("004_more.sql", "INSERT INTO rooms VALUES ('X1', 1);")
        done = self.run_example("migrate-database", bundle=bundle)
        self.assertEqual(
            done.stdout, "database at version 3, scripts at 4\napplied 004_more.sql\nup to date at version 4\n"
        )

    def test_a_script_that_fails_leaves_the_version_before_it(self):
        bundle = self.copy_with("004_bad.sql", "DELETE FROM rooms;\nINSERT INTO nowhere VALUES (1);\n")
        done = self.run_example("migrate-database", bundle=bundle)
        self.assertEqual(done.returncode, 1)
        self.assertIn("004_bad.sql failed, the database stays at version 3: no such table: nowhere", done.stderr)
        self.assertIn(b"LG25", self.work("app.db").read_bytes())

    def test_a_script_that_changed_is_refused(self):
        self.run_example("migrate-database")
        bundle = self.copy_with("003_rename_seats.sql", "-- nothing any more\n")
        done = self.run_example("migrate-database", bundle=bundle)
        self.assertEqual(done.returncode, 1)
        self.assertIn("003_rename_seats.sql changed after it was applied", done.stderr)


class RefreshToken(Case):
    def token(self):
        return json.loads(self.work("token.json").read_text())["access_token"]

    def test_a_token_that_is_good_is_left_alone(self):
        self.run_example("refresh-token")
        token = self.token()
        done = self.run_example("refresh-token")
        self.assertIn("token is good for ", done.stdout)
        self.assertEqual(self.token(), token)

    def test_the_token_is_never_printed(self):
        done = self.run_example("refresh-token")
        self.assertNotIn(self.token(), done.stdout + done.stderr)

    def test_a_service_that_refuses_leaves_the_old_token(self):
        self.run_example("refresh-token")
        token = self.token()
        for changes, words in (
            ({"CLIENT_SECRET": "wrong"}, "answered 401"),
            ({"TOKEN_URL": self.env_of("refresh-token")["TOKEN_URL"].replace("/token", "/gone")}, "answered 404"),
            ({"TOKEN_URL": "http://127.0.0.1:1/token"}, "refused"),
        ):
            done = self.run_example("refresh-token", REFRESH_BEFORE_SECONDS="60", **changes)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)
            self.assertEqual(self.token(), token)
        self.assertEqual(os.listdir(self.folder / "work"), ["token.json"])


class ScrapeTimetable(Case):
    def test_the_same_page_is_not_written_again(self):
        self.run_example("scrape-timetable")
        before = os.stat(self.work("timetable.html"))
        done = self.run_example("scrape-timetable")
        self.assertEqual(done.stdout, "7 entries, unchanged\n")
        self.assertEqual(os.stat(self.work("timetable.html")).st_ino, before.st_ino)

    def test_a_page_without_the_table_leaves_the_last_copy(self):
        self.run_example("scrape-timetable")
        copy = self.work("timetable.csv").read_bytes()
        url = self.env_of("scrape-timetable")["TIMETABLE_URL"]
        wrong_page = (HERE / "README.md").as_uri()
        for bad in (url + "/gone", "http://127.0.0.1:1/", wrong_page):
            done = self.run_example("scrape-timetable", TIMETABLE_URL=bad)
            self.assertEqual(done.returncode, 1, bad)
            self.assertIn("the last copy stays", done.stderr)
            self.assertEqual(self.work("timetable.csv").read_bytes(), copy)


if __name__ == "__main__":
    unittest.main()
