//! Lines without secrets, those included that whoever spoke has cut: what is left of a cut secret is one.

use super::LINE_BYTES_MAX;
use super::access::Terms;
use super::file::Kept;
use crate::masking::{Mask, Patterns};

/// What libraries put where they cut, and what may follow it: how long the whole was.
const CUT_MARK: &str = "…";
const CUT_MARK_ESCAPED: &[u8] = br"\u2026";
const CUT_NOTE: (&[u8], &[u8]) = (b" [cut: ", b" bytes]");
/// How long what was cut without a mark is, give or take a character: names and the errors of spans, base64 of bytes,
/// values. In bytes, in characters or in UTF-16's units, as languages have it.
const BOUNDS: [usize; 3] = [256, 4032, 4096];
/// How much shorter than its bound a text may be that ends between characters.
const SHORTER_MAX: usize = 8;

impl Terms {
    /// A line as it may be stored.
    pub(super) fn without_secrets(&self, kept: Kept) -> Kept {
        let Some(patterns) = &self.masks else {
            return kept;
        };
        match kept {
            Kept::Line(line) => Kept::Line(masked(patterns, &line, true)),
            Kept::CutLine { start, bytes } => Kept::CutLine {
                start: masked(patterns, &start, false),
                bytes,
            },
            Kept::Dropped { .. } => kept,
        }
    }
}

fn masked(patterns: &Patterns, line: &[u8], is_whole: bool) -> Vec<u8> {
    let (mut mask, mut out) = (Mask::default(), Vec::with_capacity(line.len()));
    let mut from = 0;
    each_cut(line, |text, cut| {
        mask.push(patterns, &line[from..text], &mut out);
        mask.push(patterns, &line[text..cut], &mut out);
        mask.cut(patterns, cut - text, &mut out);
        from = cut;
    });
    mask.push(patterns, &line[from..], &mut out);
    // What a line ends with that was cut here may be the beginning of a secret.
    if is_whole {
        mask.flush(&mut out);
    }
    out.truncate(LINE_BYTES_MAX);
    out
}

/// Shows where in a line each text of JSON begins and ends that was cut, or may have been. A mark stands behind its end.
fn each_cut(line: &[u8], mut cut: impl FnMut(usize, usize)) {
    let mut at = 0;
    while let Some(quote) = position(line, at, b'"') {
        let begin = quote + 1;
        let mut end = begin;
        while end < line.len() && line[end] != b'"' {
            end += 1 + usize::from(line[end] == b'\\');
        }
        if end >= line.len() {
            return;
        }
        if let Some(length) = cut_at(&line[begin..end]) {
            cut(begin, begin + length);
        }
        at = end + 1;
    }
}

fn position(line: &[u8], from: usize, byte: u8) -> Option<usize> {
    let found = line[from..].iter().position(|it| *it == byte)?;
    Some(from + found)
}

/// Where a text as JSON writes it was cut, or may have been. `None`: it is whole.
fn cut_at(text: &[u8]) -> Option<usize> {
    without_note(text)
        .and_then(before_mark)
        .or_else(|| before_mark(text))
        .or_else(|| is_near_a_bound(text).then_some(text.len()))
}

fn without_note(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_suffix(CUT_NOTE.1)?;
    let digits = rest.iter().rev().take_while(|it| it.is_ascii_digit());
    rest[..rest.len() - digits.count()].strip_suffix(CUT_NOTE.0)
}

fn before_mark(text: &[u8]) -> Option<usize> {
    if let Some(before) = text.strip_suffix(CUT_MARK.as_bytes()) {
        return Some(before.len());
    }
    let before = text.strip_suffix(CUT_MARK_ESCAPED)?;
    let backslashes = before.iter().rev().take_while(|it| **it == b'\\');
    // After an odd number of them the next one is a backslash itself.
    (backslashes.count() % 2 == 0).then_some(before.len())
}

fn is_near_a_bound(text: &[u8]) -> bool {
    if text.len() < BOUNDS[0] - SHORTER_MAX {
        return false;
    }
    let is_near = |length: usize| {
        let mut bounds = BOUNDS.iter();
        bounds.any(|bound| (bound - SHORTER_MAX..=*bound).contains(&length))
    };
    match serde_json::from_slice::<String>(&[b"\"", text, b"\""].concat()) {
        Ok(text) => {
            is_near(text.len())
                || is_near(text.chars().count())
                || is_near(text.encode_utf16().count())
        }
        // Cut within a character that has two units.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use odin_model::SecretValue;
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "sup3r-s3cret\"válue 😀/+end";

    fn terms(secrets: &[&str]) -> Terms {
        let values = secrets.iter().map(|it| it.as_bytes().to_vec());
        let values: Vec<_> = values.map(|it| SecretValue::new(it).unwrap()).collect();
        Terms {
            bytes_max: 1 << 20,
            masks: Some(Arc::new(Patterns::new(&values))),
        }
    }

    fn line_without(terms: &Terms, line: &str) -> String {
        match terms.without_secrets(Kept::Line(line.into())) {
            Kept::Line(line) => String::from_utf8(line).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// A text in the forms in which libraries write it.
    fn written(text: &str) -> [String; 2] {
        let plain = serde_json::to_string(text).unwrap();
        let mut ascii = String::new();
        for character in plain.chars() {
            match character.is_ascii() {
                true => ascii.push(character),
                false => {
                    let mut units = [0; 2];
                    let units = character.encode_utf16(&mut units).iter();
                    ascii.extend(units.map(|unit| format!("\\u{unit:04x}")));
                }
            }
        }
        [plain, ascii]
    }

    /// What is stored of a text that ends with a mark or is as long as its bound.
    #[track_caller]
    fn check(terms: &Terms, text: &str, expected: &str) {
        for member in ["name", "value", "unit", "error"] {
            for text in written(text) {
                let line = format!(r#"{{"kind":"watch","{member}":{text},"after":"sup3"}}"#);
                let seen = line_without(terms, &line);
                let json: serde_json::Value = serde_json::from_str(&seen).expect(&seen);
                assert_eq!(json[member], expected, "{line}");
                assert_eq!(json["after"], "sup3", "what is whole is left alone");
            }
        }
    }

    #[test]
    fn a_secret_is_not_seen_wherever_a_text_was_cut() {
        let terms = terms(&[SECRET]);
        for (end, _) in SECRET.char_indices().skip(1) {
            let begun = &SECRET[..end];
            for mark in ["…", "… [cut: 5000 bytes]"] {
                check(&terms, &format!("rr{begun}{mark}"), &format!("rr***{mark}"));
            }
            for bound in BOUNDS {
                for length in bound - 3..=bound {
                    let before = "n".repeat(length - begun.len());
                    check(&terms, &format!("{before}{begun}"), &format!("{before}***"));
                }
            }
            // Some languages count characters, or UTF-16's units.
            for before in [
                256 - begun.chars().count(),
                256 - begun.encode_utf16().count(),
            ] {
                let before = "é".repeat(before);
                check(&terms, &format!("{before}{begun}"), &format!("{before}***"));
            }
        }
    }

    #[test]
    fn what_is_not_cut_stays_as_it_is() {
        let terms = terms(&[SECRET]);
        for text in [
            "rrsup3r-s3c",
            "sup3r… and more",
            "price…",
            "… [cut: 12 bytes]",
            "sup3r [cut: 12 bytes]",
            &"n".repeat(256),
            &format!("{}sup", "n".repeat(300)),
        ] {
            check(&terms, text, text);
        }
        check(&terms, &format!("a {SECRET} b…"), "a *** b…");
        // A backslash and letters, and no mark.
        let line = r#"{"name":"sup3r\\u2026"}"#;
        assert_eq!(line_without(&terms, line), line);
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_of_either() {
        let terms = terms(&["sup3r-s3cret", "s3cret-and-longer"]);
        check(&terms, "sup3r-s3cret-and-lo…", "***…");
        check(&terms, "sup3r-s3cre…", "***…");
    }

    #[test]
    fn base64_of_a_secret_is_not_seen_where_it_was_cut() {
        // printf 'correct horse battery' | base64
        let terms = terms(&["correct horse battery"]);
        for length in 4..24 {
            let letters = &"Y29ycmVjdCBob3JzZSBiYXR0ZXJ5"[..length];
            check(&terms, &format!("<{letters}…"), "<***…");
        }
    }

    #[test]
    fn the_end_of_a_line_that_was_cut_here_begins_no_secret() {
        let terms = terms(&[SECRET]);
        let start = r#"{"name":"rsup3r-s3…","value":"sup3r-s"#.into();
        let cut = terms.without_secrets(Kept::CutLine { start, bytes: 9 });
        let start = r#"{"name":"r***…","value":""#.into();
        assert_eq!(cut, Kept::CutLine { start, bytes: 9 });
    }

    proptest! {
        /// However a text is made of secrets, beginnings of them and other letters: cut and marked, it ends with no beginning
        /// of a secret, and it is still JSON.
        #[test]
        fn a_marked_text_never_ends_with_the_beginning_of_a_secret(
            parts in prop::collection::vec((0..3usize, 0..30usize), 0..6),
            escaped: bool,
        ) {
            let secrets = [SECRET, "hunter22hunter22x", "p\\4ss\\\\word"];
            let terms = terms(&secrets);
            let mut text = String::new();
            for (which, length) in parts {
                let secret = secrets[which];
                let end = secret.floor_char_boundary(length.min(secret.len()));
                text.push_str(&secret[..end]);
            }
            let line = format!(r#"{{"name":{}}}"#, written(&format!("{text}…"))[usize::from(escaped)]);
            let seen = line_without(&terms, &line);
            let json: serde_json::Value = serde_json::from_str(&seen).expect(&seen);
            let name = json["name"].as_str().unwrap().strip_suffix('…').unwrap();
            for secret in secrets {
                prop_assert!(!name.contains(secret), "{}", name);
                for (end, _) in secret.char_indices().skip(1) {
                    prop_assert!(!name.ends_with(&secret[..end]), "{} of {}", name, text);
                }
            }
        }
    }
}
