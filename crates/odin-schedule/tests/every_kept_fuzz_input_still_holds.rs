//! Every input that fuzzing kept, through the functions that the fuzz targets call: what was
//! found once stays found, on a stable compiler and without a fuzzer.

mod fuzzed;

use std::path::Path;

/// Calls `check` with each file of a folder of the corpus, and returns how many there were.
fn each_input(target: &str, check: impl Fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let entries =
        std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut count = 0;
    for entry in entries {
        let path = entry
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .path();
        let bytes =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // The file's name is told where an input fails.
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&bytes)));
        assert!(held.is_ok(), "{} does not hold", path.display());
        count += 1;
    }
    count
}

#[test]
fn every_text_is_read_or_refused() {
    assert!(
        each_input("text", fuzzed::text::check) >= 500,
        "the corpus is there"
    );
}

#[test]
fn every_schedule_has_answers_that_agree() {
    assert!(
        each_input("engine", fuzzed::engine::check) >= 500,
        "the corpus is there"
    );
}

#[test]
fn every_calendar_is_read_or_refused() {
    assert!(
        each_input("calendar", fuzzed::calendar::check) >= 50,
        "the corpus is there"
    );
}
