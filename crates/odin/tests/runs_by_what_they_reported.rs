//! Runs are found by what they reported, and two of them are put side by side.
#![allow(clippy::unwrap_used)]

mod faults;

use faults::Place;
use serde_json::Value;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// Four runs of the job `fetch` that report the prices 90, 100.1, 101.5 and none; newest first.
fn four_runs(place: &Place) -> Vec<String> {
    let mut runs = Vec::new();
    for (price, text) in [("90", "a"), ("100.1", "b"), ("101.5", "c"), ("", "d")] {
        let reports = match price {
            "" => String::new(),
            price => format!(
                "{ODIN} watch price 1\n{ODIN} watch price {price}\n\
                 {ODIN} watch 'url fetched' https://example.org/{text}\n\
                 {ODIN} condition 'has rows' {}\n",
                price != "90"
            ),
        };
        let timeout = if price == "101.5" {
            "  timeout: 5m\n"
        } else {
            ""
        };
        let code = format!("{reports}echo same\necho line {text}\ntrue\n");
        place.deploy("fetch", "never", timeout, &code);
        let run = place.run("fetch");
        place.ended("fetch", &run);
        runs.insert(0, run);
    }
    runs
}

fn ids(list: &Value) -> Vec<String> {
    let runs = list["runs"].as_array().unwrap();
    let id = |run: &Value| run["id"].as_str().unwrap().to_owned();
    runs.iter().map(id).collect()
}

#[test]
fn runs_are_found_by_their_latest_values_and_two_are_compared() {
    let place = Place::new();
    let runs = four_runs(&place);
    for (condition, expected) in [
        ("price > 100", &runs[1..3]),
        ("price > 100 and \"has rows\" = true", &runs[1..3]),
        (
            "'has rows' = false or price = 101.5",
            &[runs[1].clone(), runs[3].clone()],
        ),
        ("'url fetched' contains '/b'", &runs[2..3]),
        // 1 was reported too, and then another.
        ("price = 1", &[]),
        ("not price exists", &runs[..1]),
    ] {
        let list = place
            .server
            .json(["runs", "-i", "fetch", "--where", condition]);
        assert_eq!(ids(&list), expected, "{condition}");
        assert_eq!(list["next"], Value::Null, "{condition}");
    }
    let newest = [
        "runs",
        "-i",
        "fetch",
        "--limit",
        "1",
        "--where",
        "price > 0",
    ];
    assert_eq!(ids(&place.server.json(newest)), [runs[1].as_str()]);

    let refused = place
        .server
        .odin(["runs", "-i", "fetch", "--where", "price > much"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("request/bad-where"), "{said}");
    assert!(said.contains("^^^^"), "the place: {said}");

    let compared = place.server.json(["compare", &runs[2], &runs[1]]);
    assert_eq!(compared["before"]["id"], runs[2].as_str());
    let values = compared["values"].as_array().unwrap();
    let price = values.iter().find(|it| it["name"] == "price").unwrap();
    assert_eq!(price["difference"], "1.4");
    assert_eq!(price["per_cent"], 1.4);
    assert_eq!(price["before"]["value"].to_string(), "100.1");
    let rows = values.iter().find(|it| it["name"] == "has rows").unwrap();
    assert_eq!(rows["is_same"], true);
    let settings = compared["version"]["settings"].as_array().unwrap();
    assert!(
        settings
            .iter()
            .any(|it| it["name"] == "timeout" && it["after"] == "5m"),
        "{settings:?}"
    );
    assert_eq!(
        compared["output"]["diff"],
        "@@ -1,2 +1,2 @@\n same\n-line b\n+line c\n"
    );
    let text = place.server.odin(["compare", &runs[2], &runs[0]]);
    let text = String::from_utf8(text.stdout).unwrap();
    for words in [
        [&runs[2], &runs[0], "DIFFERENCE"],
        ["price", "100.1", "differs"],
        ["took", "ms", ""],
        ["+line d", "", ""],
    ] {
        let is_it = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(text.lines().any(is_it), "{words:?} in\n{text}");
    }
    let same = place.server.odin(["compare", &runs[0], &runs[0]]);
    assert_eq!(same.status.code(), Some(2));
}
