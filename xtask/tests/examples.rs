//! The examples' code does what their `expected.json` says, and fails as their READMEs say.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that runs a program"
)]

use std::path::Path;
use std::process::Command;

#[test]
fn the_examples_do_their_work_without_a_server() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join("examples");
    let output = Command::new("python3")
        .arg("test_examples.py")
        .current_dir(examples)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
