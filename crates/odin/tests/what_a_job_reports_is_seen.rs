//! What runs report is there while they run and afterwards, whatever becomes of the server, and decides how they ended.
#![allow(clippy::unwrap_used)]

mod faults;

use faults::{Place, speaking};

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

#[test]
fn a_shell_job_is_seen_while_it_runs_and_its_result_is_its_outcome() {
    let place = Place::new();
    let code = format!(
        "{ODIN} watch 'url fetched' https://example.org/a,b\n\
         {ODIN} watch price -- -101.50\n\
         {ODIN} condition 'is empty' false && exit 9\n\
         echo said > $HERE/said\n\
         until [ -e $HERE/go ]; do sleep 0.02; done\n\
         {ODIN} result 'three rows were missing' 404\n"
    );
    place.deploy("fetch", "never", "", &code);
    let run = place.run("fetch");
    place.wait_for_evidence("said");
    let live = place.server.wait_for("three values", |_| {
        let list = place.server.json(["stats", "-i", "fetch"]);
        let values = list["values"].as_array().unwrap().clone();
        (values.len() == 3).then_some(values)
    });
    let shown: Vec<String> = live
        .iter()
        .map(|it| {
            format!(
                "{} {} {} {}",
                it["name"], it["kind"], it["type"], it["value"]
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#""is empty" "condition" "boolean" false"#,
            r#""price" "watch" "number" -101.5"#,
            r#""url fetched" "watch" "text" "https://example.org/a,b""#,
        ]
    );
    assert!(live.iter().all(|it| it["run"] == run.as_str()));
    std::fs::write(place.path("go"), "").unwrap();
    let ended = place.ended("fetch", &run);
    assert_eq!(ended["outcome"], "warning", "{ended}");
    assert_eq!(ended["reason"], "three rows were missing (status 404)");
    assert_eq!(ended["exit_code"], 0);
    let table = place.server.odin(["stats", "-i", "fetch"]);
    let table = String::from_utf8(table.stdout).unwrap();
    let id = place.server.json(["describe", "-i", "fetch"])["id"].clone();
    let line = |words: &[&str]| {
        let is_it = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(table.lines().any(is_it), "{words:?} in\n{table}");
    };
    line(&["ID", "DESCRIPTION", "TYPE", "VALUE"]);
    line(&[id.as_str().unwrap(), "price", "watch", "-101.50"]);
    line(&["three rows were missing", "result", "404"]);
    // Nothing is left of the file that held it.
    let files = std::fs::read_dir(place.path("data").join("values")).unwrap();
    assert_eq!(files.count(), 0);
}

#[test]
fn a_result_fails_a_run_whatever_its_exit_code_and_the_reason_names_both() {
    let place = Place::new();
    for (name, code, outcome, reason) in [
        (
            "bad",
            format!("{ODIN} result 'no disk space' 500\n"),
            "failed",
            "no disk space (status 500); exit code 1",
        ),
        (
            "calm",
            format!("{ODIN} result bad 500 || exit 0\n"),
            "failed",
            "bad (status 500)",
        ),
        (
            "odd",
            format!("{ODIN} result done; exit 3\n"),
            "failed",
            "exit code 3, after it had reported: done",
        ),
        (
            "good",
            format!("{ODIN} result 'all is well' 200\n"),
            "succeeded",
            "all is well",
        ),
    ] {
        place.deploy(name, "never", "", &code);
        let run = place.run(name);
        let ended = place.ended(name, &run);
        assert_eq!(ended["outcome"], outcome, "{ended}");
        assert_eq!(ended["reason"], reason, "{ended}");
    }
}

#[test]
fn a_failure_fails_a_run_that_has_used_up_what_it_may_report() {
    let place = Place::new();
    for (name, status, outcome) in [("broken", 500, "failed"), ("lacking", 404, "warning")] {
        let code = speaking(&format!(
            "for n in range(2000): say(kind='watch', name='row processed', value=n)\n\
             say(kind='result', name='the load is odd', status={status})\n\
             wait()"
        ));
        place.deploy(name, "never", "  keep: {values: 64KiB}\n", &code);
        let run = place.run(name);
        let ended = place.ended(name, &run);
        assert_eq!(ended["outcome"], outcome, "{ended}");
        let reason = format!("the load is odd (status {status})");
        assert_eq!(ended["reason"], reason.as_str());
        // What was not kept is one number in the end.
        let kept = place.values(name);
        let rows = kept.iter().filter(|it| it["kind"] == "watch").count();
        assert!((100..2000).contains(&rows), "{rows}");
        let latest = place.server.json(["stats", "-i", name]);
        let mut latest = latest["values"].as_array().unwrap().iter();
        let dropped = latest.find(|it| it["kind"] == "dropped").unwrap();
        assert_eq!(dropped["value"], 2000 - rows, "{dropped}");
    }
}

#[test]
fn what_results_say_takes_no_name_of_the_jobs() {
    let place = Place::new();
    let bytes = format!("{ODIN} watch \"$(printf 'a\\377')\" \"$(printf '\\377x')\"\n");
    let code = speaking(
        "for n in range(1005): say(kind='result', name='loaded %d rows' % n, value=200)\n\
         say(kind='watch', name='price', value=5)\n\
         wait()",
    );
    place.deploy("many", "never", "", &format!("{bytes}{code}"));
    let run = place.run("many");
    let ended = place.ended("many", &run);
    assert_eq!(ended["reason"], "loaded 1004 rows");
    let latest = place.server.json(["stats", "-i", "many"]);
    let latest = latest["values"].as_array().unwrap();
    let shown: Vec<String> = latest
        .iter()
        .map(|it| format!("{} {} {}", it["name"], it["kind"], it["value"]))
        .collect();
    assert_eq!(
        shown,
        [
            r#""loaded 1004 rows" "result" 200"#,
            // Neither is UTF-8.
            r#""a\\xff" "watch" {"base64":"/3g="}"#,
            r#""price" "watch" 5"#,
        ]
    );
    assert_eq!(latest[0]["count"], 1005);
    let said = ["stats", "-i", "many", "--all", "--name", "loaded 7 rows"];
    let one = place.server.json(said);
    let one = one["values"].as_array().unwrap();
    assert_eq!((one.len(), &one[0]["number"]), (1, &8.into()));
    let found = place
        .server
        .json(["runs", "-i", "many", "--where", "'loaded 7 rows' exists"]);
    assert_eq!(found["runs"].as_array().unwrap().len(), 1, "{found}");
}

#[test]
fn nothing_that_was_acknowledged_is_lost_or_doubled_when_servers_die() {
    let mut place = Place::new();
    let code = speaking(
        "for part in range(4):\n\
         \x20   for n in range(500): say(kind='watch', name='n', value=part * 500 + n)\n\
         \x20   wait()\n\
         \x20   seen('part%d' % part)\n\
         \x20   until('go%d' % part)\n\
         say(kind='watch', name='n', value=2000)\n\
         f.flush()\n\
         os._exit(0)",
    );
    place.deploy("reports", "never", "", &code);
    let run = place.run("reports");
    place.wait_for_evidence("part0");
    // In the middle of taking them, or before, or after: whatever it is.
    place.server.kill();
    std::fs::write(place.path("go0"), "").unwrap();
    place.wait_for_evidence("part1");
    place.server.restart();
    place
        .server
        .wait_for("what was said without a server", |_| {
            (place.values("reports").len() >= 1000).then_some(())
        });
    std::fs::write(place.path("go1"), "").unwrap();
    place.wait_for_evidence("part2");
    place.server.kill();
    place.server.restart();
    std::fs::write(place.path("go2"), "").unwrap();
    place.wait_for_evidence("part3");
    place.server.kill();
    // The end, and one more that nobody waits for, come while no server lives.
    std::fs::write(place.path("go3"), "").unwrap();
    place.server.restart();
    let ended = place.ended("reports", &run);
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    let numbers: Vec<u64> = place
        .values("reports")
        .iter()
        .map(|it| it["number"].as_u64().unwrap())
        .collect();
    let mut values: Vec<u64> = place
        .values("reports")
        .iter()
        .map(|it| it["value"].as_u64().unwrap())
        .collect();
    values.sort_unstable();
    assert_eq!(values, (0..=2000).collect::<Vec<_>>());
    let mut numbers = numbers;
    numbers.sort_unstable();
    assert_eq!(numbers, (0..=2000).collect::<Vec<_>>());
}

#[test]
fn whatever_a_job_says_is_kept_as_it_is_or_says_what_is_wrong_with_it() {
    let place = Place::new();
    let code = speaking(
        "say(kind='watch', name='big', value=2**63)\n\
         say(kind='watch', name='nan', value='NaN', type='number')\n\
         say(kind='watch', name='commas', value='a,b\\n\"c\" \\U0001f642')\n\
         say(kind='watch', name='\\x1b[2J\\r hostile \\u202e', value=1)\n\
         deep = '[' * 1500 + ']' * 1500\n\
         raw(b'{\"kind\":\"watch\",\"name\":\"deep\",\"value\":' + deep.encode() + b'}')\n\
         say(kind='watch', name='long', value='x' * (1 << 20))\n\
         raw(b'no report')\n\
         wait()\n\
         raw(b'{\"kind\":\"watch\",\"name\":\"half')\n\
         f.flush()\n\
         os.kill(os.getpid(), 9)",
    );
    place.deploy("strange", "never", "", &code);
    let run = place.run("strange");
    assert_eq!(place.ended("strange", &run)["outcome"], "signalled");
    let values = place.values("strange");
    let named = |name: &str| {
        let found = values.iter().find(|it| it["name"] == name);
        found.unwrap_or_else(|| panic!("{name} in {values:?}"))
    };
    assert_eq!(named("big")["value"].to_string(), "9223372036854775808");
    assert_eq!(
        (&named("nan")["value"], &named("nan")["type"]),
        (&"NaN".into(), &"number".into())
    );
    assert_eq!(named("commas")["value"], "a,b\n\"c\" 🙂");
    assert_eq!(named("\u{1b}[2J\r hostile \u{202e}")["value"], 1);
    // Deeper than many readers of the whole answer go: as a text.
    assert_eq!(named("deep")["type"], "json");
    assert!(named("deep")["value"].as_str().unwrap().starts_with("[[[["));
    assert_eq!(
        named("long")["note"],
        "its line is cut: it had 1048632 bytes"
    );
    assert!(named("long")["value"].as_str().unwrap().len() <= 4096);
    let unreadable: Vec<_> = values
        .iter()
        .filter(|it| it["kind"] == "unreadable")
        .collect();
    let texts: Vec<_> = unreadable
        .iter()
        .map(|it| it["value"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["no report", "{\"kind\":\"watch\",\"name\":\"half"]);
    // A terminal is sent none of that.
    let table = place.server.odin(["stats", "-i", "strange"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(!table.contains(['\u{1b}', '\r', '\u{202e}']), "{table:?}");
}
