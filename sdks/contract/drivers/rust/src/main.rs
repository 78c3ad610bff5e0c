//! Makes the calls of a case with the Rust SDK. What comes back is printed as lines of JSON.

use std::io::BufRead;
use std::time::Duration;

use odin_sdk::{Odin, Status, Value};
use serde_json::Value as Json;

fn value_of(given: &Json) -> Value<'static> {
    let (kind, what) = given.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "int" => what.as_str().unwrap().parse::<i128>().map(Value::Integer).unwrap(),
        "float" => what.as_str().unwrap().parse::<f64>().unwrap().into(),
        "repeat" => {
            let count = usize::try_from(what[1].as_u64().unwrap()).unwrap();
            what[0].as_str().unwrap().repeat(count).into()
        }
        "bytes" => base64(what.as_str().unwrap()).into(),
        "bytes_repeat" => {
            let count = usize::try_from(what[1].as_u64().unwrap()).unwrap();
            vec![u8::try_from(what[0].as_u64().unwrap()).unwrap(); count].into()
        }
        "list" => {
            let count = usize::try_from(what.as_u64().unwrap()).unwrap();
            Value::json(serde_json::to_string(&vec![1; count]).unwrap())
        }
        "deep" => {
            let depth = usize::try_from(what.as_u64().unwrap()).unwrap();
            Value::json("[".repeat(depth) + &"]".repeat(depth))
        }
        "null" => Value::Null,
        "bool" => what.as_bool().unwrap().into(),
        "text" => what.as_str().unwrap().to_owned().into(),
        "json" => Value::json(what.to_string()),
        other => panic!("{other}"),
    }
}

fn base64(text: &str) -> Vec<u8> {
    let mut bits = (0_u32, 0);
    let mut bytes = Vec::new();
    for letter in text.bytes().filter(|byte| *byte != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = (bits.0 << 6 | u32::from(value), bits.1 + 6);
        if bits.1 >= 8 {
            bits.1 -= 8;
            bytes.push((bits.0 >> bits.1 & 255) as u8);
        }
    }
    bytes
}

fn name_of(given: &Json) -> String {
    match given {
        Json::String(name) => name.clone(),
        given => match value_of(given) {
            Value::Text(text) => text.into_owned(),
            other => panic!("{other:?}"),
        },
    }
}

fn play(odin: &Odin, steps: &Json) {
    for step in steps.as_array().unwrap() {
        let (call, what) = step.as_object().unwrap().iter().next().unwrap();
        play_one(odin, call, what);
    }
}

fn play_one(odin: &Odin, call: &str, what: &Json) {
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let count = |json: &Json| json.as_u64().unwrap();
    match call {
        "watch" => odin.watch(&name_of(&what[0]), value_of(&what[1])),
        "condition" => {
            let returned = odin.condition(&text(&what[0]), what[1].as_bool().unwrap());
            println!("{{\"returned\":{returned}}}");
        }
        "result" => {
            let status = match &what[1] {
                Json::Null => Status::from(0),
                Json::String(text) => Status::from(text.clone()),
                number => Status::from(number.as_i64().unwrap()),
            };
            odin.result(&text(&what[0]), status);
        }
        "progress" => odin.progress(count(&what[0]), what[1].as_u64()),
        "metric" => odin.metric(&text(&what[0]), value_of(&what[1]), &text(&what[2])),
        "artifact" => odin.artifact(text(what)),
        "span" => {
            let mut span = odin.span(&text(&what["name"]));
            play(odin, &what["steps"]);
            if let Some(error) = what["error"].as_str() {
                span.fail(error);
            }
        }
        "mock" => odin.mock(),
        "many" => {
            for _ in 0..count(&what["count"]) {
                odin.watch(&text(&what["name"]), value_of(&what["value"]));
            }
        }
        "threads" => std::thread::scope(|scope| {
            for _ in 0..count(&what["count"]) {
                scope.spawn(|| (0..count(&what["each"])).for_each(|n| odin.watch("t", n)));
            }
        }),
        "child" => {
            let case = format!("{{\"steps\":{what}}}");
            let program = std::env::current_exe().unwrap();
            let status = std::process::Command::new(program).arg(case).status();
            assert!(status.unwrap().success());
        }
        "flush" => {
            let delivery = odin.flush(Duration::from_millis(count(what)));
            println!("{{\"undelivered\":{}}}", delivery.undelivered);
        }
        "signal" => {
            println!("{{\"signal\":{what}}}");
            std::io::stdin().lock().read_line(&mut String::new()).unwrap();
        }
        "pause" => std::thread::sleep(Duration::from_millis(count(what))),
        "forever" => (0_u64..).for_each(|n| odin.watch(&text(what), n)),
        "crash" => std::process::abort(),
        other => panic!("{other}"),
    }
}

fn main() {
    let case = std::env::args().nth(1).unwrap();
    let case: Json = serde_json::from_str(&case).unwrap();
    play(&Odin::setup("contract.yml"), &case["steps"]);
}
