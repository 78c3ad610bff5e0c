//! Numbers far from those of earlier runs are flagged without set-up.
#![allow(clippy::unwrap_used)]

mod faults;

use faults::{ODIN, Place};
use serde_json::{Value, json};

/// Reports what the file `price` says, by a name with a space in it.
fn place() -> Place {
    let place = Place::new();
    let code = format!("{ODIN} watch 'the price' \"$(cat $HERE/price)\"\n");
    place.deploy("fetch", "never", "", &code);
    place
}

fn run(place: &Place, price: &str) -> String {
    std::fs::write(place.path("price"), price).unwrap();
    let run = place.run("fetch");
    assert_eq!(place.ended("fetch", &run)["outcome"], "succeeded");
    run
}

fn text(place: &Place, arguments: &[&str]) -> String {
    let output = place.server.odin(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_number_far_from_those_of_twenty_runs_is_flagged_wherever_the_run_is_shown() {
    let place = place();
    for number in 0..20 {
        run(&place, &format!("{}.5", 98 + number % 5));
    }
    let usual = run(&place, "100");
    let odd = run(&place, "5000");
    let reason = "5000 is far above the 98.5 to 102.5 of the 21 runs before";
    let flag = json!({
        "of": "value", "name": "the price", "reason": reason, "value": 5000,
        "low": 81.4, "high": 124,
    });
    let flags_of = |list: &[Value], run: &str| {
        let found = list.iter().find(|it| it["id"] == run).unwrap();
        found["flags"].clone()
    };
    let runs = place.runs("fetch");
    assert_eq!(flags_of(&runs, &odd), json!([flag]));
    assert_eq!(flags_of(&runs, &usual), Value::Null);
    assert_eq!(
        place.server.json(["describe", "-i", &odd])["flags"],
        json!([flag])
    );
    let latest = place.server.json(["stats", "-i", "fetch"]);
    assert_eq!(latest["values"][0]["flag"], flag);
    for (arguments, words) in [
        (&["runs", "-i", "fetch"][..], "the price 5000"),
        (&["describe", "-i", &odd], reason),
        (&["stats", "-i", "fetch"], reason),
    ] {
        let shown = text(&place, arguments);
        assert!(shown.contains(words), "{arguments:?}: {shown}");
    }
    let shown = text(&place, &["runs", "-i", "fetch"]);
    assert!(
        shown.lines().next().unwrap().ends_with("UNUSUAL"),
        "{shown}"
    );
    let alerts = place.server.json(["alerts"]);
    assert_eq!(alerts["alerts"], json!([]), "nobody asked to be told");
}
