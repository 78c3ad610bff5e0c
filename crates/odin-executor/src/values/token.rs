//! What a run proves itself with.

use std::hint::black_box;

/// 128 random bits, drawn for each process of a run. In memory only: never in the journal, never in a log.
#[derive(Clone, Copy)]
pub(crate) struct RunToken(pub(crate) [u8; 16]);

impl RunToken {
    /// As the job finds it in `ODIN_RUN_TOKEN`: 32 hex digits.
    pub(crate) fn text(self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// What [`text`](Self::text) wrote; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bits = is_digits.then(|| u128::from_str_radix(text, 16).ok())??;
        Some(Self(bits.to_be_bytes()))
    }

    /// Whether both are the same, in a time that does not tell how much of them is.
    pub(super) fn is(self, other: Self) -> bool {
        let pairs = self.0.iter().zip(other.0);
        let difference = pairs.fold(0, |difference, (one, other)| difference | (one ^ other));
        black_box(difference) == 0
    }
}

impl std::fmt::Debug for RunToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else_is_one() {
        let token = RunToken(*b"\x00\x01234567890abcd\xff");
        let text = token.text();
        assert_eq!(text.len(), 32);
        assert!(RunToken::parse(&text).unwrap().is(token));
        for other in [
            "",
            "0",
            &text[1..],
            &format!("+{}", &text[1..]),
            &"g".repeat(32),
            &"é".repeat(16),
        ] {
            assert!(RunToken::parse(other).is_none(), "{other}");
        }
    }

    #[test]
    fn tokens_that_differ_anywhere_are_not_the_same() {
        let token = RunToken([7; 16]);
        for place in 0..16 {
            let mut other = token;
            other.0[place] ^= 0x80;
            assert!(!token.is(other));
        }
    }

    #[test]
    fn a_token_is_not_printed_for_developers() {
        assert_eq!(format!("{:?}", RunToken([7; 16])), "RunToken(..)");
    }
}
