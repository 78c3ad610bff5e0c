//! Every value is followed as it comes, and listed, however many there are and whatever becomes of the server.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "a follower is a process whose lines are read as they come"
)]

mod faults;

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Stdio};

use faults::{ODIN, Place, speaking};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A follower whose lines are read as they come; a test that waits in vain is ended by its runner.
struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn start(place: &Place, job: &str, arguments: &[&str]) -> Self {
        let mut command = place.server.command();
        command.args(["stats", "-i", job, "--follow"]);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.args(arguments).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn next(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn next_json(&mut self) -> Value {
        serde_json::from_str(&self.next()).unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn values_are_followed_from_the_latest_to_what_comes() {
    let place = Place::new();
    let run = |price: &str| {
        place.deploy(
            "fetch",
            "never",
            "",
            &format!("{ODIN} watch 'the price' {price}\n"),
        );
        let run = place.run("fetch");
        place.ended("fetch", &run);
        run
    };
    run("100");
    let mut following = Following::start(&place, "fetch", &[]);
    assert!(following.next().starts_with("ID "));
    assert!(following.next().ends_with("100"));
    let mut of_name = Following::start(&place, "fetch", &["--json", "--name", "the price"]);
    assert_eq!(of_name.next_json()["value"], 100);
    let mut of_another = Following::start(&place, "fetch", &["--name", "a price"]);
    assert!(of_another.next().starts_with("ID "));

    let second = run("101.50");
    let line = following.next();
    assert!(
        line.contains(&second) && line.ends_with("  watch the price = 101.50"),
        "{line}"
    );
    let value = of_name.next_json();
    assert_eq!(
        (&value["run"], &value["value"]),
        (&json!(second), &json!(101.5))
    );
    let pid = Pid::from_raw(following.child.id().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(following.child.wait().unwrap().code(), Some(0));
}

/// Says 0 to 99 by the name `n`, with one `tick` among them, in one write, each time that a file of the place is there;
/// before all that -1.
fn bursts(files: &[&str]) -> String {
    let mut code = "for name in ['n', 'tick']: say(kind='watch', name=name, value=-1)\n\
                    wait()\n\
                    seen('began')\n"
        .to_owned();
    for (at, file) in files.iter().enumerate() {
        code += &format!(
            "until('{file}')\n\
             for n in range({}, {}):\n\
             \x20   say(kind='watch', name='n', value=n)\n\
             \x20   if n % 100 == 7: say(kind='watch', name='tick', value=n)\n\
             wait()\n\
             seen('said-{file}')\n",
            at * 100,
            at * 100 + 100
        );
    }
    speaking(&format!("{code}f.flush()\nos._exit(0)"))
}

/// The values by this name that a follower shows next.
fn shown(following: &mut Following, count: usize) -> Vec<i64> {
    let value = |_| following.next_json()["value"].as_i64().unwrap();
    (0..count).map(value).collect()
}

#[test]
fn each_value_is_followed_once_through_bursts_and_restarts_of_the_server() {
    let mut place = Place::new();
    place.deploy("reports", "never", "", &bursts(&["one", "two", "three"]));
    let run = place.run("reports");
    place.wait_for_evidence("began");
    place.server.wait_for("the first values", |_| {
        (place.values("reports").len() == 2).then_some(())
    });
    let names = [
        &["--json", "--name", "n"][..],
        &["--json", "--name", "tick"],
    ];
    let [mut all, mut ticks] = names.map(|it| Following::start(&place, "reports", it));
    // Who has shown the latest values listens.
    assert_eq!(
        (shown(&mut all, 1), shown(&mut ticks, 1)),
        (vec![-1], vec![-1])
    );
    let go = |place: &Place, file: &str| std::fs::write(place.path(file), "").unwrap();
    go(&place, "one");
    assert_eq!(shown(&mut all, 100), (0..100).collect::<Vec<_>>());
    assert_eq!(shown(&mut ticks, 1), [7]);

    // What is said while there is no server is shown by the one that comes after.
    place.server.kill();
    go(&place, "two");
    place.wait_for_evidence("said-two");
    place.server.restart();
    assert_eq!(shown(&mut all, 100), (100..200).collect::<Vec<_>>());
    assert_eq!(shown(&mut ticks, 1), [107]);
    go(&place, "three");
    assert_eq!(shown(&mut all, 100), (200..300).collect::<Vec<_>>());
    assert_eq!(shown(&mut ticks, 1), [207]);
    place.ended("reports", &run);

    // A whole run while nobody can tell of it.
    let code =
        speaking("say(kind='watch', name='n', value=1000)\nwait()\nseen('over')\nos._exit(0)");
    place.deploy("reports", "never", "", &code);
    place.run("reports");
    place.wait_for_evidence("over");
    place.server.kill();
    place.server.restart();
    assert_eq!(shown(&mut all, 1), [1000]);
}

#[test]
fn all_values_are_listed_in_the_order_of_time_however_many_there_are() {
    let place = Place::new();
    let code = speaking(
        "for n in range(24000):\n\
         \x20   say(kind='watch', name='even' if n % 2 == 0 else 'odd', value=n)\n\
         \x20   if n % 4000 == 3999: wait()\n\
         os._exit(0)",
    );
    place.deploy("reports", "never", "", &code);
    let run = place.run("reports");
    place.ended("reports", &run);
    let list = place.server.json(["stats", "-i", "reports", "--all"]);
    let values = list["values"].as_array().unwrap();
    let numbers: Vec<_> = values
        .iter()
        .map(|it| it["value"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, (0..24_000).collect::<Vec<_>>());
    assert_eq!(list["next"], Value::Null);
    let table = place
        .server
        .odin(["stats", "-i", "reports", "--all", "--name", "odd"]);
    let table = String::from_utf8(table.stdout).unwrap();
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 12_001);
    assert!(lines[0].starts_with("RUN ") && lines[0].ends_with(" VALUE"));
    assert!(
        lines[1].ends_with("  odd          watch  1"),
        "{}",
        lines[1]
    );
    assert!(
        lines[12_000].ends_with("  odd          watch  23999"),
        "{}",
        lines[12_000]
    );
    let none = place
        .server
        .json(["stats", "-i", "reports", "--all", "--name", "none"]);
    assert_eq!(none, json!({"values": [], "next": null}));
}
