//! Where in a text a pattern may begin, found faster than by looking for the patterns.
//!
//! The first bytes of every pattern, in every form that leaves them as they are, are in a filter. A place whose next
//! [`WINDOW`] bytes are not in it begins nothing, and nothing else is asked about it. Where an escape or a line end
//! cuts these bytes short, only those before it are looked up.

use zeroize::Zeroize;

use super::automaton::Automaton;
use super::view::{self, Escape, Escapes};

/// How many bytes are looked up at once. No pattern is shorter.
const WINDOW: usize = 4;
/// Bits of the filter for each entry: one place in 250 is looked at in vain.
const BITS_PER_ENTRY: usize = 256;
/// 512 bytes to 8 KiB: more would be slower to look into than what is saved.
const BITS_LOG_MIN: u32 = 12;
const BITS_LOG_MAX: u32 = 16;

/// A byte that begins a pattern as it is.
const FIRST_PLAIN: u8 = 1;
/// A byte that begins a pattern in base64.
const FIRST_BASE64: u8 = 2;
/// A byte that begins an escape or may stand inside base64 without being of it.
const CUTS: u8 = 4;

/// The filter.
pub(super) struct Beginnings {
    bits: Box<[u64]>,
    shift: u32,
    kinds: Box<[u8; 256]>,
}

impl Beginnings {
    /// Of these patterns: as they are, and in base64's standard alphabet. `has_space`: whether a form may write `+` for
    /// a space of one.
    pub(super) fn new(
        plain: &[impl AsRef<[u8]>],
        base64: &[impl AsRef<[u8]>],
        has_space: bool,
    ) -> Self {
        let mut kinds = Box::new([0; 256]);
        for byte in [b'%', b'\\', b'\n', b'\r']
            .into_iter()
            .chain(has_space.then_some(b'+'))
        {
            kinds[usize::from(byte)] |= CUTS;
        }
        let entries = plain.len() + base64.len();
        let bits_log = (entries * BITS_PER_ENTRY).max(1).ilog2() + 1;
        let bits_log = bits_log.clamp(BITS_LOG_MIN, BITS_LOG_MAX);
        let mut this = Self {
            bits: vec![0; (1 << bits_log) / 64].into(),
            shift: 32 - bits_log,
            kinds,
        };
        for pattern in plain {
            this.add(window(pattern.as_ref()), FIRST_PLAIN);
        }
        for pattern in base64 {
            this.add_alphabets(window(pattern.as_ref()), 0);
        }
        this
    }

    fn add(&mut self, four: [u8; WINDOW], kind: u8) {
        self.kinds[usize::from(four[0])] |= kind;
        for key in [u32::from_le_bytes(four), pair(four[0], four[1], kind)] {
            let (word, bit) = self.place(key);
            self.bits[word] |= bit;
        }
    }

    /// The first characters of base64 in every mixture of its two alphabets, which views read as one.
    fn add_alphabets(&mut self, mut four: [u8; WINDOW], from: usize) {
        let Some(at) = (from..WINDOW).find(|&at| matches!(four[at], b'+' | b'/')) else {
            self.add(four, FIRST_BASE64);
            return;
        };
        self.add_alphabets(four, at + 1);
        four[at] = if four[at] == b'+' { b'-' } else { b'_' };
        self.add_alphabets(four, at + 1);
    }

    #[inline]
    fn place(&self, key: u32) -> (usize, u64) {
        // Fibonacci hashing: the upper bits depend on all bytes.
        let hash = key.wrapping_mul(0x9e37_79b1) >> self.shift;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    #[inline]
    fn has(&self, key: u32) -> bool {
        let (word, bit) = self.place(key);
        self.bits[word] & bit != 0
    }

    #[inline]
    fn is(&self, byte: u8, kind: u8) -> bool {
        self.kinds[usize::from(byte)] & kind != 0
    }

    /// Whether a byte begins an escape, so that text may stand for another from it on.
    #[inline]
    pub(super) fn cuts(&self, byte: u8) -> bool {
        self.is(byte, CUTS)
    }

    /// Whether a pattern may begin with the first of these bytes as it is. False only when it is certain.
    #[inline]
    fn may_begin_as_it_is(&self, bytes: &[u8]) -> bool {
        match *bytes {
            [] => false,
            [a] => self.may_begin_cut_short(a, None, None),
            [a, b, ..] if self.cuts(b) => self.may_begin_cut_short(a, None, Some(b)),
            [a, b] => self.may_begin_cut_short(a, Some(b), None),
            [a, b, c, ..] if self.cuts(c) => self.may_begin_cut_short(a, Some(b), Some(c)),
            [a, b, _] => self.may_begin_cut_short(a, Some(b), None),
            [a, b, _, d, ..] if self.cuts(d) => self.may_begin_cut_short(a, Some(b), Some(d)),
            [a, b, c, d, ..] => self.has(u32::from_le_bytes([a, b, c, d])),
        }
    }

    /// The same of one byte, or two and perhaps a third, before what cuts them short, which may be the end.
    #[inline]
    fn may_begin_cut_short(&self, first: u8, second: Option<u8>, cut: Option<u8>) -> bool {
        let kinds = self.kinds[usize::from(first)];
        // Base64 has nothing that could stand for one of its characters but itself.
        let base64 = kinds & FIRST_BASE64 != 0 && !matches!(cut, Some(b'%' | b'\\'));
        let plain = kinds & FIRST_PLAIN != 0;
        let Some(second) = second else {
            return plain || base64;
        };
        (plain && self.has(pair(first, second, FIRST_PLAIN)))
            || (base64 && self.has(pair(first, second, FIRST_BASE64)))
    }

    /// The same in any form.
    pub(super) fn may_begin(&self, bytes: &[u8]) -> bool {
        let begins_escape = matches!(bytes.first(), Some(b'%' | b'\\'));
        begins_escape || self.may_begin_as_it_is(bytes)
    }

    /// How many of these bytes nothing begins with, counted from the first on.
    pub(super) fn passed_over(&self, plain: &Automaton, bytes: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let cut = bytes[at..].iter().position(|byte| self.is(*byte, CUTS));
            let cut = cut.map_or(bytes.len(), |length| at + length);
            let whole = bytes[at..cut].windows(WINDOW);
            let may_begin = |it: &[u8]| self.has(u32::from_le_bytes([it[0], it[1], it[2], it[3]]));
            if let Some(place) = { whole }.position(may_begin) {
                return at + place;
            }
            at = at.max(cut.saturating_sub(WINDOW - 1));
            let next = bytes.get(cut).copied();
            while at < cut {
                let second = bytes[at..cut].get(1).copied();
                if self.may_begin_cut_short(bytes[at], second, next) {
                    return at;
                }
                at += 1;
            }
            if cut == bytes.len() {
                return cut;
            }
            match self.harmless(plain, &bytes[cut..]) {
                Some(length) => at = cut + length,
                None => return cut,
            }
        }
    }

    /// How long the escape or other cut is that these bytes begin with, when nothing begins in it in any form.
    fn harmless(&self, plain: &Automaton, bytes: &[u8]) -> Option<usize> {
        let length = match bytes[0] {
            b'%' => self.escape(Escapes::Percent, plain, bytes)?,
            b'\\' => self.escape(Escapes::Json, plain, bytes)?,
            _ => 1,
        };
        let begins = (0..length).any(|at| self.may_begin_as_it_is(&bytes[at..]));
        (!begins).then_some(length)
    }

    /// How long an escape is that is all there and that stands for nothing that a pattern begins with.
    fn escape(&self, escapes: Escapes, plain: &Automaton, bytes: &[u8]) -> Option<usize> {
        let longest = bytes.len().min(view::ESCAPE_BYTES_MAX);
        for length in 1..=longest {
            match escapes.read(&bytes[..length]) {
                Escape::Unfinished => {}
                Escape::No => return None,
                Escape::Of(stands_for, 1) => {
                    let second = bytes.get(length).filter(|byte| !self.cuts(**byte));
                    let begins =
                        self.may_begin_cut_short(stands_for[0], second.copied(), Some(bytes[0]));
                    return (!begins).then_some(length);
                }
                Escape::Of(stands_for, count) => {
                    let begins = stands_for[..count].iter().any(|byte| plain.begins(*byte));
                    return (!begins).then_some(length);
                }
            }
        }
        None
    }
}

/// The key of two bytes that begin a pattern of a kind, apart from those of four as far as a hash can be.
#[inline]
fn pair(a: u8, b: u8, kind: u8) -> u32 {
    u32::from_le_bytes([a, b, 0, kind])
}

fn window(pattern: &[u8]) -> [u8; WINDOW] {
    *pattern.first_chunk().expect("no pattern is shorter")
}

impl Drop for Beginnings {
    fn drop(&mut self) {
        // Little can be told from it, and that little is of secrets.
        self.bits.zeroize();
        self.kinds.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(plain: &[&str], base64: &[&str], text: &str, expected: usize) {
        let has_space = plain.iter().any(|it| it.contains(' '));
        let beginnings = Beginnings::new(plain, base64, has_space);
        let automaton = Automaton::new(plain);
        let seen = beginnings.passed_over(&automaton, text.as_bytes());
        assert_eq!(seen, expected, "{text:?}");
        assert!(
            (0..seen).all(|at| !text.as_bytes()[at..].starts_with(b"hunter")),
            "{text:?}"
        );
    }

    #[test]
    fn what_begins_nothing_is_passed_over_in_one_go() {
        check(&["hunter22"], &[], "a line without it", 17);
        check(&["hunter22"], &[], "a hunter22", 2);
        check(&["hunter22"], &[], "a huntsman", 2);
        check(&["hunter22"], &[], "a human hut on", 14);
        check(&[], &[], "anything", 8);
    }

    #[test]
    fn what_an_end_or_an_escape_cuts_short_is_looked_up_by_what_is_there() {
        check(&["hunter22"], &[], "so hun", 3);
        check(&["hunter22"], &[], "so h", 3);
        check(&["hunter22"], &[], "so ha", 5);
        check(&["hunter22"], &[], "hu%6eter22", 0);
        check(&["hunter22"], &[], "ha%6eter22", 10);
        check(&["a b c d"], &[], "xy a+b+c+d", 3);
        check(&["hunter22"], &["aHVudGVy"], "x aH\nVudGVy", 2);
        check(&["hunter22"], &["aHVudGVy"], "x a\nHVudGVy", 2);
        check(&["hunter22"], &["aHVudGVy"], r"x a\nb", 6);
    }

    #[test]
    fn an_escape_is_passed_over_when_nothing_begins_in_it() {
        check(&["hunter22"], &[], "%41%42", 6);
        check(&["hunter22"], &[], "%41%68unter22", 3);
        check(&["hunter22"], &[], r#"a\n\"b\u0068unter22"#, 6);
        check(&["hunter22"], &[], r"a\\hunter22", 3);
        check(&["4141414141"], &[], "%414141414141", 0);
        check(&["hunter22"], &[], r"a\q", 1);
        check(&["hunter22"], &[], r"a\u00", 1);
    }

    #[test]
    fn both_alphabets_of_base64_are_known() {
        for text in ["+/ab", "-/ab", "+_ab", "-_ab"] {
            check(&[], &["+/abcd"], &format!("  {text}"), 2);
        }
    }
}
