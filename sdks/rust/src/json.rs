//! The little JSON that reports need: text and numbers written, and given JSON looked at.

/// How deep JSON may be nested to be sent as JSON: what is deeper is sent as text.
pub(crate) const DEPTH_MAX: usize = 64;

/// Appends `text` as a JSON string. Nothing but JSON's own escapes: what it holds is for the reader to make safe.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut kept = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[kept..at]);
        kept = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            control => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[kept..]);
    out.push(b'"');
}

/// How deep a JSON text is nested, 0 for a scalar; `None` when it is not JSON (RFC 8259).
pub(crate) fn depth(text: &str) -> Option<usize> {
    let mut reader = Reader {
        bytes: text.as_bytes(),
        at: 0,
    };
    let depth = reader.document()?;
    (reader.at == reader.bytes.len()).then_some(depth)
}

/// Whether a text is a number as JSON writes them.
pub(crate) fn is_number(text: &str) -> bool {
    let mut reader = Reader {
        bytes: text.as_bytes(),
        at: 0,
    };
    reader.number().is_some() && reader.at == text.len()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// A value with everything in it. What is open is on a list of its own, so that no depth overflows a stack.
    fn document(&mut self) -> Option<usize> {
        let mut open: Vec<u8> = Vec::new();
        let mut deepest = 0;
        loop {
            self.space();
            match self.peek()? {
                bracket @ (b'{' | b'[') => {
                    self.at += 1;
                    open.push(bracket);
                    deepest = deepest.max(open.len());
                    self.space();
                    if self.peek()? != bracket + 2 {
                        if bracket == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => self.string()?,
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            // After a value: what is open is closed, or goes on.
            loop {
                self.space();
                let Some(&bracket) = open.last() else {
                    return Some(deepest);
                };
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        if bracket == b'{' {
                            self.space();
                            self.key()?;
                        }
                        break;
                    }
                    // `]` and `}` are each two after their opening bracket.
                    close if close == bracket + 2 => {
                        self.at += 1;
                        open.pop();
                    }
                    _ => return None,
                }
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.space();
        self.word(b":")
    }

    fn string(&mut self) -> Option<()> {
        self.word(b"\"")?;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(()),
                0..0x20 => return None,
                b'\\' => self.escape()?,
                _ => {}
            }
        }
    }

    /// What follows a backslash. A half of a surrogate pair alone is no text.
    fn escape(&mut self) -> Option<()> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => match self.hex4()? {
                0xdc00..=0xdfff => None,
                0xd800..=0xdbff => {
                    self.word(b"\\u")?;
                    matches!(self.hex4()?, 0xdc00..=0xdfff).then_some(())
                }
                _ => Some(()),
            },
            _ => None,
        }
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |number, digit| {
            Some(number * 16 + char::from(*digit).to_digit(16)?)
        })
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let matches = self.bytes[self.at..].starts_with(word);
        self.at += word.len();
        matches.then_some(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_what_is_not_and_its_depth_counted() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        for (text, expected) in [
            ("1", Some(0)),
            ("-0.5e+10", Some(0)),
            (" true ", Some(0)),
            ("null", Some(0)),
            ("\"a\\u00e9\\ud83d\\ude00\\n\"", Some(0)),
            ("[]", Some(1)),
            ("{}", Some(1)),
            ("[ ]", Some(1)),
            ("{\"a\": [1, {\"b\": []}], \"c\": 2}", Some(4)),
            ("[1,2,[3]]", Some(2)),
            (&deep, Some(100_000)),
            ("", None),
            ("01", None),
            ("1.", None),
            ("+1", None),
            (".5", None),
            ("NaN", None),
            ("[1,]", None),
            ("[1 2]", None),
            ("[1}", None),
            ("{\"a\"}", None),
            ("{\"a\":1,}", None),
            ("{a:1}", None),
            ("{,}", None),
            ("[", None),
            ("\"", None),
            ("\"\n\"", None),
            ("\"\\x\"", None),
            ("\"\\ud83d\"", None),
            ("\"\\ude00\"", None),
            ("tru", None),
            ("1 2", None),
            ("]", None),
        ] {
            assert_eq!(depth(text), expected, "{text:.40}");
        }
    }

    #[test]
    fn text_is_escaped_as_json_has_it() {
        let mut out = Vec::new();
        write_text(&mut out, "a\"b\\c\nd\u{1b}[31mé😀\u{7f}");
        let expected = "\"a\\\"b\\\\c\\nd\\u001b[31mé😀\u{7f}\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
