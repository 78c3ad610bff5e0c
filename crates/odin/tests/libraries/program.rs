//! A program that reports with odin-sdk, in the way that its argument names.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use odin_sdk::{Odin, Value};

const THREADS: usize = 1000;

fn place(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("HERE").unwrap()).join(name)
}

fn seen(name: &str, text: &str) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.append(true).create(true).open(place(name)).unwrap();
    file.write_all(format!("{text}\n").as_bytes()).unwrap();
}

fn flush(odin: &Odin) {
    let delivery = odin.flush(Duration::from_secs(60));
    assert!(delivery.is_complete(), "{delivery:?}");
}

fn types(odin: &Odin) {
    odin.watch("a price", 101.5);
    odin.watch("big", 1u64 << 63);
    odin.watch("least", i64::MIN);
    odin.watch("nan", f64::NAN);
    odin.watch("text", "a,b\n\"c\" 🙂");
    odin.watch("list", Value::json(r#"[1,{"a":null}]"#));
    odin.watch("deep", Value::json("[".repeat(100) + "1" + &"]".repeat(100)));
    odin.watch("long", "x".repeat(1 << 20));
    odin.watch("a,b\n\"c\"\\ 🙂\u{202e}\u{1b}[2J", 1);
    odin.watch("", "no name");
    assert!(odin.condition("holds", 1 < 2));
    assert!(!odin.condition("is empty", false));
    odin.metric("rows", 48213, "rows");
    odin.progress(3, 10);
    {
        let _outer = odin.span("outer");
        let _inner = odin.span("inner");
    }
    odin.result("three rows were missing", 404);
}

fn halves(odin: &Arc<Odin>) {
    let half = Arc::new(Barrier::new(THREADS + 1));
    let go = Arc::new(Barrier::new(THREADS + 1));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (odin, half, go) = (Arc::clone(odin), Arc::clone(&half), Arc::clone(&go));
            let say = move || {
                (0..3).for_each(|n| odin.watch("n", thread * 6 + n));
                half.wait();
                go.wait();
                (3..6).for_each(|n| odin.watch("n", thread * 6 + n));
            };
            let builder = std::thread::Builder::new().stack_size(128 << 10);
            builder.spawn(say).unwrap()
        })
        .collect();
    half.wait();
    seen("half", "seen");
    // Opening a pipe waits for who writes to it.
    std::fs::read(place("go")).unwrap();
    go.wait();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    flush(odin);
    seen("all", "seen");
    odin.result(&format!("{} values", THREADS * 6), 200);
}

fn endless(odin: &Odin) {
    seen("pid", &std::process::id().to_string());
    let mut n = 0u64;
    loop {
        for _ in 0..20 {
            odin.watch("n", n);
            n += 1;
        }
        flush(odin);
        seen("acknowledged", &n.to_string());
    }
}

fn main() {
    let odin = Arc::new(Odin::setup("fetch.yml"));
    match std::env::args().nth(1).as_deref() {
        Some("types") => types(&odin),
        Some("halves") => halves(&odin),
        Some("endless") => endless(&odin),
        other => panic!("{other:?}"),
    }
}
