//! From secrets to what is looked for.

use odin_model::secret::{MASKED_BYTES_MIN, SecretValue};
use zeroize::Zeroizing;

use super::automaton::Automaton;
use super::beginnings::Beginnings;
use super::stream::Mask;

/// The longest text that is looked for as a whole. Longer ones are cut, and each piece is masked wherever it stands:
/// a piece of this length is no word that a program prints by chance.
pub(super) const PIECE_BYTES_MAX: usize = 128;

/// What the secrets of a run look like in its output. Takes up to 250 bytes of memory for each byte of a secret,
/// and 8 KiB.
pub struct Patterns {
    /// Values and their lines, as they are.
    pub(super) plain: Automaton,
    /// What the base64 of any text holds that has one of them in it, in the standard alphabet.
    pub(super) base64: Automaton,
    /// Whether one has a space, which forms write as `+`.
    pub(super) has_space: bool,
    /// Where something may begin, in any view; all else is passed over while nothing has.
    pub(super) beginnings: Beginnings,
    /// Whether there is nothing to look for.
    is_empty: bool,
}

impl std::fmt::Debug for Patterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Patterns(..)")
    }
}

impl Patterns {
    /// The patterns of these secrets. A secret that [is not masked](SecretValue::is_masked) has none.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s SecretValue>) -> Self {
        let (mut plain, mut base64) = (Vec::new(), Vec::new());
        for secret in secrets {
            for text in texts(secret.expose()) {
                plain.extend(pieces(text));
                for shift in 0..3 {
                    let encoded = Zeroizing::new(base64_core(text, shift));
                    base64.extend(pieces(&encoded).map(|it| Zeroizing::new(it.to_vec())));
                }
            }
        }
        let has_space = plain.iter().any(|it| it.contains(&b' '));
        let is_empty = plain.is_empty();
        Self {
            beginnings: Beginnings::new(&plain, &base64, has_space),
            plain: Automaton::new(&plain),
            base64: Automaton::new(&base64),
            has_space,
            is_empty,
        }
    }

    /// Whether there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// A text without the secrets: for reasons, values and whatever else is stored as a whole.
    #[must_use]
    pub fn masked(&self, text: &str) -> String {
        if self.is_empty {
            return text.to_owned();
        }
        let (mut mask, mut out) = (Mask::default(), Vec::with_capacity(text.len()));
        mask.push(self, text.as_bytes(), &mut out);
        mask.flush(&mut out);
        String::from_utf8(out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

/// The value as it is, without the white space around it, and each of its lines likewise: those that are long enough.
fn texts(value: &[u8]) -> Vec<&[u8]> {
    let trimmed = value.trim_ascii();
    let mut texts = Vec::new();
    // Without the white space around it: what is found in it is found with it as well.
    if trimmed.len() >= MASKED_BYTES_MIN {
        texts.push(trimmed);
    }
    if trimmed.contains(&b'\n') {
        let lines = trimmed.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        texts.extend(lines.filter(|line| line.len() >= MASKED_BYTES_MIN));
    }
    texts
}

/// A text in pieces of about equal length, each at most [`PIECE_BYTES_MAX`].
fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let count = text.len().div_ceil(PIECE_BYTES_MAX);
    (0..count).map(move |piece| &text[text.len() * piece / count..text.len() * (piece + 1) / count])
}

/// The characters of base64 that do not depend on what stands before and after the text, when `shift` bytes modulo
/// three stand before it. What is left out at each end tells less than one byte.
fn base64_core(text: &[u8], shift: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut characters = Vec::with_capacity(text.len() * 4 / 3 + 4);
    let (mut bits, mut count) = (0_u32, 8 * shift);
    // The first characters that hold bits of what stands before are left out.
    let mut unknown = (8 * shift).div_ceil(6);
    for &byte in text {
        bits = bits << 8 | u32::from(byte);
        count += 8;
        while count >= 6 {
            count -= 6;
            let index = bits >> count & 63;
            if unknown > 0 {
                unknown -= 1;
            } else {
                characters.push(ALPHABET[index as usize]);
            }
        }
        bits &= (1 << count) - 1;
    }
    characters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_text_at_every_shift() {
        // `printf '%sfoobar!%s'` through base64 with 0, 1 and 2 bytes before.
        for (shift, expected) in [(0, "Zm9vYmFyI"), (1, "Zvb2Jhci"), (2, "mb29iYXIh")] {
            let seen = base64_core(b"foobar!", shift);
            assert_eq!(String::from_utf8(seen).unwrap(), expected, "{shift}");
        }
    }

    #[test]
    fn a_value_is_looked_for_as_a_whole_and_line_by_line() {
        let check = |value: &str, expected: &[&str]| {
            let seen: Vec<_> = texts(value.as_bytes())
                .into_iter()
                .map(|text| std::str::from_utf8(text).unwrap())
                .collect();
            assert_eq!(seen, expected, "{value:?}");
        };
        check("12345", &[]);
        check("123456\n", &["123456"]);
        check("  a b c d  ", &["a b c d"]);
        check(
            "BEGIN KEY\r\n  abcdef\r\nab\r\n      \r\nEND KEY\n",
            &[
                "BEGIN KEY\r\n  abcdef\r\nab\r\n      \r\nEND KEY",
                "BEGIN KEY",
                "abcdef",
                "END KEY",
            ],
        );
    }

    #[test]
    fn pieces_are_short_enough_and_never_too_short() {
        for length in (6..2000).chain([65_409, 65_535, 65_536]) {
            let text = vec![b'x'; length];
            let lengths: Vec<usize> = pieces(&text).map(<[u8]>::len).collect();
            assert_eq!(lengths.iter().sum::<usize>(), length);
            let fits = |it: &usize| (6..=PIECE_BYTES_MAX).contains(it);
            assert!(lengths.iter().all(fits), "{length}: {lengths:?}");
        }
    }
}
