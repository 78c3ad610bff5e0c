//! Arbitrary and nearly right input: the reader and the bundle's checker finish, and say something sensible.

#![allow(clippy::unwrap_used)]

use odin_job_file::bundle::{BundlePath, verify};
use odin_job_file::{Defaults, read};
use proptest::prelude::*;

/// A file that uses every key, in several styles of YAML.
const GOOD: &str = "\
provider: {name: odin, version: \"2.0.0\"}
job:
  id: 'a37b187f5930'   # a comment
  name: \"report\\x20one\"
  description: >
    Two lines
    folded.
  language: go
  file: cmd/main.go
  files:
    - lib
    - 'data.csv'
  schedule: every weekday at 09:00 and every Saturday at 11:30
  timezone: Europe/Dublin
  args: [--fast, 1, true]
  env: {REGION: eu, EMPTY: , \"Q\": 'it''s'}
  timeout: 1h30m
  grace: 5m
  missed: {policy: all, limit: 20}
  concurrency: forbid
";

/// Pieces that mean something to YAML or to the reader.
const PIECES: &[&str] = &[
    "\n",
    "\t",
    " ",
    "  ",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "'",
    "\"",
    "\\",
    "#",
    "&a",
    "*a",
    "!!str",
    "|",
    ">",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "? ",
    "<<: ",
    "~",
    "\u{feff}",
    "\u{85}",
    "\u{2028}",
    "\u{0}",
    "ö",
    "🦀",
    "\r",
    "job:",
    "name:",
    "schedule:",
    "missed:",
    "command:",
    "env:",
    "0x",
    "1e5",
    "\\ud800",
    "\\N",
    "@",
    "`",
];

fn looks_sound(text: &str) -> Result<(), TestCaseError> {
    let Err(mistakes) = read(text, &Defaults::default()) else {
        return Ok(());
    };
    prop_assert!(!mistakes.list().is_empty());
    let mut last = 0;
    for mistake in mistakes.list() {
        // Panics when the span is not within the text and on character boundaries.
        let underlined = text.get(mistake.span.clone());
        prop_assert!(underlined.is_some(), "{mistake:?} of {text:?}");
        prop_assert!(mistake.span.start >= last && mistake.span.start <= mistake.span.end);
        last = mistake.span.start;
        let controls = mistake
            .message
            .chars()
            .chain(mistake.help.chars())
            .any(char::is_control);
        prop_assert!(!controls, "{mistake:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        looks_sound(&text)?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        looks_sound(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn any_pieces_of_yaml_are_read_or_refused(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        looks_sound(&pieces.concat())?;
    }

    #[test]
    fn a_good_file_with_pieces_moved_is_read_or_refused(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0usize..12, prop::sample::select(PIECES)),
            1..6,
        ),
    ) {
        let mut text = GOOD.to_owned();
        for (place, removed, piece) in changes {
            let start = text.floor_char_boundary(place.index(text.len() + 1));
            let end = text.floor_char_boundary((start + removed).min(text.len())).max(start);
            text.replace_range(start..end, piece);
        }
        looks_sound(&text)?;
    }

    #[test]
    fn a_file_that_is_cut_off_is_read_or_refused(place: prop::sample::Index) {
        looks_sound(&GOOD[..place.index(GOOD.len() + 1)])?;
    }

    #[test]
    fn any_tar_is_verified_or_refused(
        blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..6),
        zeros in 0usize..1100,
    ) {
        let tar: Vec<u8> = blocks.concat().into_iter().chain(std::iter::repeat_n(0, zeros)).collect();
        let packed = zstd::encode_all(&tar[..], 1).unwrap();
        let name = BundlePath::parse("job.yml").unwrap();
        prop_assert!(verify(&packed[..], &name).is_err());
        prop_assert!(verify(&tar[..], &name).is_err());
    }

    #[test]
    fn a_path_that_is_accepted_stays_below_its_directory(text in "[a./ö\\\\\u{0}-]{0,20}") {
        if let Ok(path) = BundlePath::from_written(&text) {
            let joined = std::path::Path::new("/root").join(path.as_str());
            prop_assert!(joined.components().all(|it| !matches!(it, std::path::Component::ParentDir)));
            prop_assert!(joined.starts_with("/root") && joined != std::path::Path::new("/root"));
            prop_assert_eq!(BundlePath::parse(path.as_str()), Ok(path));
        }
    }
}

#[test]
fn the_file_that_is_changed_is_good_itself() {
    read(GOOD, &Defaults::default()).unwrap();
}

#[test]
fn files_that_are_made_to_take_long_do_not() {
    // Each is near the bound of 256 KiB. What counts is that they come to an end within the test's patience.
    for piece in [
        "[", "{", "? ", "- ", "a: ", "\"", "'", "&a ", "*a ", "!a ", "[a,", "{a: ", "a:\n", "- - ",
        "#\n", "|\n", "\\", "\n\n ", "a ", "'a': 1\n", "[],", "---\n",
    ] {
        let text = piece.repeat(250_000 / piece.len());
        assert!(read(&text, &Defaults::default()).is_err(), "{piece:?}");
        assert!(
            read(&format!("job: [{text}"), &Defaults::default()).is_err(),
            "{piece:?}"
        );
        assert!(
            read(&format!("job:\n  name: {text}"), &Defaults::default()).is_err(),
            "{piece:?}"
        );
    }
    let keys: String = (0..15_000).map(|n| format!("k{n}: 1\n")).collect();
    assert!(read(&format!("{keys}{keys}"), &Defaults::default()).is_err());
}
