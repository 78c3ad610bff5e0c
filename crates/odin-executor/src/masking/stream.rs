//! One stream without its secrets.

use zeroize::Zeroizing;

use super::MASK;
use super::automaton::State;
use super::patterns::Patterns;
use super::view::{Base64, Decoded, Escapes, Span};

/// Up to how many bytes that may have begun a pattern are looked at again: what the filter is certain of.
const LOOKED_AGAIN: usize = 3;

/// Masks one stream, however it is cut.
///
/// What may be the beginning of a secret is held back until it is one or is not: at most the longest form of the
/// longest pattern, some 800 bytes, and nothing at all while nothing has begun.
pub struct Mask {
    plain: State,
    base64: Base64,
    decoded: [Decoded; 3],
    /// Whether all of these sleep.
    is_asleep: bool,
    /// How much of the stream has been taken.
    taken: u64,
    /// Up to where bytes may be of an escape.
    escaped_until: u64,
    /// What was taken and not given out: the latest bytes.
    held: Zeroizing<Vec<u8>>,
    /// Parts of `held` that are secret, in order, apart from each other; the first may begin before it.
    secret: Vec<Span>,
    /// Up to where the latest mask that was given out stands.
    masked_until: Option<u64>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask(..)")
    }
}

impl Default for Mask {
    fn default() -> Self {
        Self {
            plain: State::ROOT,
            base64: Base64::new(),
            decoded: [Escapes::Percent, Escapes::Form, Escapes::Json].map(Decoded::new),
            is_asleep: true,
            taken: 0,
            escaped_until: 0,
            held: Zeroizing::default(),
            secret: Vec::new(),
            masked_until: None,
        }
    }
}

impl Mask {
    /// Takes the next bytes, and appends to `out` what can be given out.
    pub fn push(&mut self, patterns: &Patterns, bytes: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        let start = self.taken;
        let mut at = 0;
        while at < bytes.len() {
            if self.is_idle() {
                at += patterns
                    .beginnings
                    .passed_over(&patterns.plain, &bytes[at..]);
                self.taken = start + at as u64;
            }
            let Some(&byte) = bytes.get(at) else { break };
            self.take(patterns, byte);
            at += 1;
            if let Some(back) = self.false_beginning(patterns, start, bytes) {
                // What is after it is read again, faster.
                self.plain = State::ROOT;
                self.base64.reset();
                self.taken = back;
                at = usize::try_from(back - start).expect("it is in the bytes");
            }
        }
        self.give(self.begun(patterns), out);
    }

    /// Where the first thing has begun that may be a pattern, when that is sure to be none: its place is among these
    /// `bytes`, which stand at `start`.
    #[inline]
    fn false_beginning(&mut self, patterns: &Patterns, start: u64, bytes: &[u8]) -> Option<u64> {
        if !self.is_asleep {
            // An escape is read from its beginning or not at all.
            self.escaped_until = self.taken;
            return None;
        }
        let depth = patterns.plain.depth(self.plain);
        if self.is_idle()
            || depth > LOOKED_AGAIN
            || self.base64.depth(&patterns.base64) > LOOKED_AGAIN
        {
            return None;
        }
        let begun = self.begun(patterns);
        if begun < start.max(self.escaped_until) {
            return None;
        }
        let rest = &bytes[usize::try_from(begun - start).expect("it is in the bytes")..];
        (!patterns.beginnings.may_begin(rest)).then_some(begun)
    }

    /// Appends what is held back, secret or not yet: the stream is over or silent. Should the rest of a secret come after all,
    /// that rest is masked.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        self.give(self.taken, out);
    }

    /// The text that the latest `bytes` are of was cut here: what it ends with, if that begins a secret, counts as one.
    /// Nothing is held back after that.
    pub(crate) fn cut(&mut self, patterns: &Patterns, bytes: usize, out: &mut Vec<u8>) {
        let begun = self.begun(patterns).max(self.taken - bytes as u64);
        if begun < self.taken {
            add(&mut self.secret, (begun, self.taken));
        }
        self.flush(out);
    }

    /// Whether something is held back.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    #[inline]
    fn is_idle(&self) -> bool {
        self.plain == State::ROOT && self.base64.is_idle() && self.is_asleep
    }

    #[inline]
    fn take(&mut self, patterns: &Patterns, byte: u8) {
        let at = self.taken;
        self.taken += 1;
        let before = self.plain;
        self.plain = patterns.plain.step(before, byte);
        let found = patterns.plain.found(self.plain);
        let secret = &mut self.secret;
        if found > 0 {
            add(secret, (at + 1 - found as u64, at + 1));
        }
        if let Some(span) = self.base64.take(&patterns.base64, byte, at) {
            add(secret, span);
        }
        if self.is_asleep && !patterns.beginnings.cuts(byte) {
            return;
        }
        let [percent, form, json] = &mut self.decoded;
        let form = patterns.has_space.then_some(form);
        for view in [percent, json].into_iter().chain(form) {
            view.take(&patterns.plain, before, byte, at, |span| add(secret, span));
        }
        self.is_asleep = self.decoded.iter().all(Decoded::is_asleep);
    }

    /// From where on something may be a secret that is not complete.
    fn begun(&self, patterns: &Patterns) -> u64 {
        let plain = self.taken - patterns.plain.depth(self.plain) as u64;
        let views = self.decoded.iter().map(|view| view.begun(&patterns.plain));
        views
            .chain([self.base64.begun(&patterns.base64)])
            .flatten()
            .fold(plain, u64::min)
    }

    /// Gives out what stands before `until`.
    fn give(&mut self, until: u64, out: &mut Vec<u8>) {
        let mut from = self.taken - self.held.len() as u64;
        if until <= from {
            return;
        }
        let begin = from;
        let place = |at: u64| usize::try_from(at - begin).expect("what is held is in memory");
        let mut done = 0;
        for (start, end) in &mut self.secret {
            if *start >= until {
                break;
            }
            let clear_until = (*start).max(from);
            out.extend_from_slice(&self.held[place(from)..place(clear_until)]);
            if self.masked_until.is_none_or(|masked| masked < clear_until) {
                out.extend_from_slice(MASK.as_bytes());
            }
            from = (*end).min(until).max(from);
            self.masked_until = Some(from);
            if *end > until {
                *start = until;
                break;
            }
            done += 1;
        }
        self.secret.drain(..done);
        if from < until {
            out.extend_from_slice(&self.held[place(from)..place(until)]);
        }
        self.held.drain(..place(until));
    }
}

/// Adds a part that ends where the latest ends, or after it.
fn add(secret: &mut Vec<Span>, (mut start, mut end): Span) {
    while let Some(&(last_start, last_end)) = secret.last()
        && last_end >= start
    {
        (start, end) = (start.min(last_start), end.max(last_end));
        secret.pop();
    }
    secret.push((start, end));
}

#[cfg(test)]
mod tests {
    use odin_model::SecretValue;
    use proptest::prelude::*;

    use super::*;

    const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    fn patterns(secrets: &[&[u8]]) -> Patterns {
        let values: Vec<_> = secrets
            .iter()
            .map(|bytes| SecretValue::new(bytes.to_vec()).unwrap())
            .collect();
        Patterns::new(&values)
    }

    fn masked_in(patterns: &Patterns, pieces: &[&[u8]]) -> Vec<u8> {
        let (mut mask, mut out) = (Mask::default(), Vec::new());
        for piece in pieces {
            mask.push(patterns, piece, &mut out);
            assert!(mask.held.len() < 1600, "{} bytes are held", mask.held.len());
        }
        mask.flush(&mut out);
        out
    }

    /// The text masked as a whole, and cut in two at every place, and byte by byte.
    #[track_caller]
    fn check(secrets: &[&str], text: &str, expected: &str) {
        let secrets: Vec<&[u8]> = secrets.iter().map(|text| text.as_bytes()).collect();
        let patterns = patterns(&secrets);
        let check = |pieces: &[&[u8]]| {
            let seen = masked_in(&patterns, pieces);
            assert_eq!(String::from_utf8_lossy(&seen), expected, "{pieces:?}");
        };
        let bytes = text.as_bytes();
        for place in 0..=bytes.len() {
            let (first, second) = bytes.split_at(place);
            check(&[first, second]);
        }
        check(&bytes.chunks(1).collect::<Vec<_>>());
        assert_eq!(patterns.masked(text), expected);
    }

    #[test]
    fn a_secret_is_masked_as_it_is() {
        check(&["hunter22"], "user hunter22 ok\n", "user *** ok\n");
        check(&["hunter22"], "hunter22hunter22", "***");
        check(&["hunter22"], "hunter2hunter22", "hunter2***");
        check(&["hunter22"], "hunter2", "hunter2");
        check(&["abcdef", "cdefgh"], "abcdefgh!", "***!");
        check(&["abcdef", "bcdefghi"], "abcdefgh!", "***gh!");
        check(&["12345"], "12345", "12345");
        check(&["pässwörd"], "ein pässwörd.", "ein ***.");
        check(&["hunter22\n"], "<hunter22>", "<***>");
    }

    #[test]
    fn a_secret_of_several_lines_is_masked_line_by_line() {
        let key = "BEGIN KEY\nabcdefgh\nij\nEND KEY\n";
        check(&[key], &format!("[{key}]"), "[***\n]");
        check(&[key], "log: abcdefgh\nij\n", "log: ***\nij\n");
        check(&[key], "BEGIN KEY\r\nabcdefgh\r\n", "***\r\n***\r\n");
    }

    #[test]
    fn a_secret_is_masked_in_urls() {
        let secret = "p&ss w/rd+1";
        check(&[secret], "?p=p%26ss%20w%2Frd%2B1&x", "?p=***&x");
        check(&[secret], "?p=p%26ss+w%2frd%2b1&x", "?p=***&x");
        check(&[secret], "?p=p&ss%20w/rd+1&x", "?p=***&x");
        check(&[secret], "%70%26%73%73%20%77%2f%72%64%2b%31", "***");
        check(&["100%25%zz"], "100%25%zz 100%2525%25zz", "*** ***");
        check(&["hunter22"], "%%68unter22 %6%68unter22", "%*** %6***");
        check(&["hunter22"], "50% hunter22 %", "50% *** %");
    }

    #[test]
    fn a_secret_is_masked_in_json() {
        let secret = "a\"b\\c\nd/é😀";
        check(&[secret], r#"{"k": "a\"b\\c\nd/é😀"}"#, r#"{"k": "***"}"#);
        let ascii = r#""a\"b\\c\nd\/\u00e9\ud83d\ude00""#;
        check(&[secret], ascii, r#""***""#);
        let upper = r#""a\u0022b\u005Cc\u000Ad\u002F\u00E9\uD83D\uDE00""#;
        check(&[secret], upper, r#""***""#);
        check(&["hunter22"], r"\ud83d\u0068unter22", r"\ud83d***");
        check(&["hunter22"], r"\ud83dx\nhunter22\", r"\ud83dx\n***\");
    }

    #[test]
    fn a_secret_is_masked_in_base64_of_what_it_is_part_of() {
        // printf 'user:%s!' foobar22 | base64, with 0 to 2 bytes before `user`.
        for (shift, text) in [
            (0, "dXNlcjpmb29iYXIyMiE="),
            (1, "eHVzZXI6Zm9vYmFyMjIh"),
            (2, "eHh1c2VyOmZvb2JhcjIyIQ=="),
        ] {
            let patterns = patterns(&[b"foobar22"]);
            let seen = masked_in(&patterns, &[text.as_bytes()]);
            let seen = String::from_utf8(seen).unwrap();
            assert!(
                seen.contains(MASK) && seen.len() < text.len() - 5,
                "{shift}: {seen}"
            );
        }
        // Of bytes with the two characters that the alphabets differ in; wrapped.
        check(&["???>>>??"], "Pz8/Pj4+Pz8=", "***8=");
        check(&["???>>>??"], "Pz8_Pj4-Pz8", "***8");
        check(&["???>>>??"], "Pz8/P\nj4+P\r\nz8=", "***8=");
    }

    #[test]
    fn long_secrets_are_masked_without_a_gap() {
        let secret: String = (0..700).map(|it| format!("{it:x}")).collect();
        let encoded = String::from_utf8(encode(secret.as_bytes(), BASE64)).unwrap();
        let patterns = patterns(&[secret.as_bytes()]);
        for text in [secret.clone(), encoded] {
            for cut in [1, 7, 100, 5000] {
                let text = format!("<{text}>");
                let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
                let seen = masked_in(&patterns, &pieces);
                let seen = String::from_utf8(seen).unwrap();
                assert!(seen.starts_with("<***") && seen.len() <= 8, "{cut}: {seen}");
            }
        }
    }

    #[test]
    fn nothing_is_held_back_unless_a_secret_may_have_begun() {
        let patterns = patterns(&[b"hunter22"]);
        let (mut mask, mut out) = (Mask::default(), Vec::new());
        for (text, given) in [
            ("password: ", "password: "),
            ("hun", ""),
            ("gry", "hungry"),
            ("hunter", ""),
        ] {
            out.clear();
            mask.push(&patterns, text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), given, "{text}");
        }
        assert!(mask.is_holding());
    }

    #[test]
    fn after_a_silence_the_rest_of_a_secret_is_masked() {
        let patterns = patterns(&[b"hunter22"]);
        let (mut mask, mut out) = (Mask::default(), Vec::new());
        mask.push(&patterns, b"a hunter", &mut out);
        mask.flush(&mut out);
        mask.push(&patterns, b"22 hunter22", &mut out);
        mask.flush(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), "a hunter*** ***");
    }

    /// Base64 without padding.
    fn encode(bytes: &[u8], alphabet: &[u8; 64]) -> Vec<u8> {
        let bit = |index: usize| {
            bytes
                .get(index / 8)
                .is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1)
        };
        let character = |sextet: usize| {
            let index = (0..6).fold(0, |sum, place| {
                sum << 1 | usize::from(bit(sextet * 6 + place))
            });
            alphabet[index]
        };
        (0..(bytes.len() * 8).div_ceil(6)).map(character).collect()
    }

    fn percent(bytes: &[u8], choice: &[u8]) -> Vec<u8> {
        let each = bytes.iter().zip(choice.iter().cycle());
        each.flat_map(|(&byte, choice)| match choice % 4 {
            0 => format!("%{byte:02x}").into_bytes(),
            1 => format!("%{byte:02X}").into_bytes(),
            _ if byte == b'%' || byte == b'+' => format!("%{byte:02X}").into_bytes(),
            2 if byte == b' ' => vec![b'+'],
            _ if byte == b' ' => b"%20".to_vec(),
            _ => vec![byte],
        })
        .collect()
    }

    fn json(text: &str, choice: &[u8]) -> Vec<u8> {
        let each = text.chars().zip(choice.iter().cycle());
        let mut out = String::new();
        for (character, choice) in each {
            let mut units = [0; 2];
            match (choice % 3, character) {
                (0, '"' | '\\') => out.extend(['\\', character]),
                (0, '\n') => out.push_str("\\n"),
                (0, other) => out.push(other),
                (1, other) => {
                    for unit in other.encode_utf16(&mut units) {
                        out += &format!("\\u{unit:04x}");
                    }
                }
                (_, other) => {
                    for unit in other.encode_utf16(&mut units) {
                        out += &format!("\\u{unit:04X}");
                    }
                }
            }
        }
        out.into_bytes()
    }

    fn is_part(text: &[u8], part: &[u8]) -> bool {
        text.windows(part.len()).any(|window| window == part)
    }

    proptest! {
        #[test]
        fn no_secret_ever_appears_in_any_form(
            secret in "[a-zA-Z0-9%+\\\\\"/ \u{e4}\u{20ac}\u{1f600}\n_-]{8,40}",
            before in prop::collection::vec(any::<u8>(), 0..20),
            after in prop::collection::vec(any::<u8>(), 0..20),
            choice in prop::collection::vec(any::<u8>(), 1..9),
            cuts in prop::collection::vec(1_usize..12, 1..9),
        ) {
            let trimmed = secret.trim_ascii();
            prop_assume!(trimmed.len() >= 6);
            let patterns = patterns(&[secret.as_bytes()]);
            let whole = [&before, trimmed.as_bytes(), &after].concat();
            let mut url_alphabet = *BASE64;
            url_alphabet[62..].copy_from_slice(b"-_");
            for form in [
                trimmed.as_bytes().to_vec(),
                percent(trimmed.as_bytes(), &choice),
                json(trimmed, &choice),
            ] {
                // What is after a form may not look like a part of it: `%` before hexadecimal digits would.
                let text = [&before[..], b" ", &form, b" ", &after].concat();
                let seen = in_pieces(&patterns, &text, &cuts);
                prop_assert!(!is_part(&seen, &form), "{}", String::from_utf8_lossy(&seen));
                prop_assert!(is_part(&seen, MASK.as_bytes()));
                let mut out = Vec::new();
                let mut mask = Mask::default();
                mask.push(&patterns, &text, &mut out);
                mask.flush(&mut out);
                prop_assert_eq!(out, seen, "another cut, another text");
            }
            for alphabet in [BASE64, &url_alphabet] {
                let form = encode(&whole, alphabet);
                // What does not depend on the bytes before and after.
                let first = (before.len() * 8).div_ceil(6);
                let last = (before.len() + trimmed.len()) * 8 / 6;
                let seen = in_pieces(&patterns, &form, &cuts);
                prop_assert!(!is_part(&seen, &form[first..last]), "{}", String::from_utf8_lossy(&seen));
            }
        }

        #[test]
        fn what_is_passed_over_is_what_byte_by_byte_gives(
            secrets in prop::collection::vec("[ab+4\\\\% ]{6,9}", 1..4),
            text in prop::collection::vec(prop::sample::select(b"aabb+44%\\\\nu06125cbQWFhYWJi \n\r-_/".to_vec()), 0..300),
        ) {
            let secrets: Vec<&[u8]> = secrets.iter().map(|it| it.trim().as_bytes()).collect();
            prop_assume!(secrets.iter().all(|it| it.len() >= 6));
            let patterns = patterns(&secrets);
            let encoded = encode(secrets[0], BASE64);
            let text = [&text[..], secrets[0], &text, &encoded, &text].concat();
            let slowly: Vec<&[u8]> = text.chunks(1).collect();
            prop_assert_eq!(masked_in(&patterns, &[&text]), masked_in(&patterns, &slowly));
        }

        #[test]
        fn without_a_secret_nothing_changes(text in prop::collection::vec(prop::sample::select(b"ab%\\u04+1\n".to_vec()), 0..200), cuts in prop::collection::vec(1_usize..12, 1..9)) {
            let patterns = patterns(&[b"never-there", b"a b c d%"]);
            prop_assume!(!text.contains(&b'n') || !text.contains(&b' '));
            let seen = in_pieces(&patterns, &text, &cuts);
            let plain = String::from_utf8_lossy(&text).into_owned();
            if !plain.contains("a+b+c") && !plain.contains("%2") {
                prop_assert_eq!(seen, text);
            }
        }
    }

    fn in_pieces(patterns: &Patterns, text: &[u8], cuts: &[usize]) -> Vec<u8> {
        let (mut rest, mut pieces) = (text, Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, tail) = rest.split_at(rest.len().min(*cut));
            pieces.push(piece);
            rest = tail;
        }
        masked_in(patterns, &pieces)
    }
}
