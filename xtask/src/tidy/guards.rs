//! ARCHITECTURE.md names a guard for its invariants. A guard that is gone is found here.

use crate::finding::Finding;
use crate::repository::TextFile;

const PAGE: &str = "ARCHITECTURE.md";
const MARK: &str = "*Guard:*";

pub(super) fn check(files: &[TextFile]) -> Vec<Finding> {
    let Some(page) = files.iter().find(|file| file.path == PAGE) else {
        return vec![Finding::new(PAGE, "guards", "the page is missing")];
    };
    guards(&page.text)
        .into_iter()
        .filter(|(_, guard)| !exists(guard, files))
        .map(|(number, guard)| {
            Finding::new(
                format!("{PAGE}:{number}"),
                "guards",
                format!("there is neither a test nor a file `{guard}`"),
            )
        })
        .collect()
}

/// What stands in backticks behind the mark, up to the next blank line or list item, with line numbers from 1. Names
/// of crates are left out: they explain.
fn guards(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut is_behind_mark = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with("- ") {
            is_behind_mark = false;
        }
        let behind = match line.split_once(MARK) {
            Some((_, behind)) => behind,
            None if is_behind_mark => line,
            None => continue,
        };
        is_behind_mark = true;
        let names = behind.split('`').skip(1).step_by(2);
        let names = names.filter(|name| name.contains('_') || name.contains('/'));
        found.extend(names.map(|name| (index + 1, name)));
    }
    found
}

fn exists(guard: &str, files: &[TextFile]) -> bool {
    if guard.contains('/') {
        return files.iter().any(|file| file.path == guard);
    }
    let declared = format!("fn {guard}(");
    files
        .iter()
        .any(|file| file.path.ends_with(".rs") && file.text.contains(&declared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_that_is_gone_is_found() {
        let file = |path: &str, text: &str| TextFile {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let source = file("crates/odin-x/src/a.rs", "#[test]\nfn it_holds() {}\n");
        for (line, expected) in [
            ("It is `odin-x`. *Guard:* `it_holds`.", 0),
            ("*Guard:* `crates/odin-x/src/a.rs` (in `odin-x`)", 0),
            ("*Guard:* `it_held`, `crates/odin-x/src/b.rs`", 2),
            ("*Guard:*\n`it_held`,\n`it_was_held`", 2),
            (
                "*Guard:* `it_holds`.\n- No guard: `it_held`.\n\nNor here: `it_held`.",
                0,
            ),
            ("No guard here: `it_held`.", 0),
        ] {
            let found = check(&[file(PAGE, line), file(&source.path, &source.text)]);
            assert_eq!(found.len(), expected, "{line}");
        }
        assert_eq!(check(&[]).len(), 1);
    }
}
