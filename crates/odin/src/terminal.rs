//! What a terminal may be sent: no control character of somebody else's text.

use std::borrow::Cow;
use std::io::IsTerminal;

/// The width that is assumed where a terminal does not tell.
const WIDTH_DEFAULT: usize = 80;

/// The width of the terminal that stdout is. `None`: it is not a terminal.
pub(crate) fn stdout_width() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let columns = rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| size.ws_col);
    Some(match columns {
        0 => WIDTH_DEFAULT,
        columns => usize::from(columns),
    })
}

/// Whether colours on stderr reach a person who wants them (<https://no-color.org>).
pub(crate) fn stderr_has_colour() -> bool {
    std::io::stderr().is_terminal() && colours_are_wanted()
}

/// The same for stdout.
pub(crate) fn stdout_has_colour() -> bool {
    std::io::stdout().is_terminal() && colours_are_wanted()
}

fn colours_are_wanted() -> bool {
    let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    !is_off && !is_dumb
}

/// How a piece of text is emphasised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    /// Not at all.
    #[default]
    Plain,
    /// What the reader looks for.
    Strong,
    /// What matters less than the rest.
    Dim,
}

/// The text in its style, or as it is where there are no colours.
pub(crate) fn styled(text: &str, style: Style, has_colour: bool) -> String {
    match style {
        Style::Strong if has_colour => format!("\u{1b}[1;32m{text}{COLOURS_END}"),
        Style::Dim if has_colour => format!("\u{1b}[2m{text}{COLOURS_END}"),
        Style::Plain | Style::Strong | Style::Dim => text.to_owned(),
    }
}

/// Text for a terminal, on one line: control characters and invisible ones are spelled out.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let (mut before, mut rest) = (None, text.chars());
    while let Some(c) = rest.next() {
        if is_hidden(c) && !joins(before, c, rest.clone().next()) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        before = Some(c);
    }
    Cow::Owned(out)
}

/// Characters that act on a terminal, or change the order of what it shows, or are not seen.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The joiner and the non-joiner, by which neighbours are drawn as one, or not.
pub(crate) fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Whether a joiner does what it is for: between letters of scripts whose letters join (as in Persian and in the scripts
/// of India), or between the parts of an emoji. Anywhere else it would only make two names look alike.
fn joins(before: Option<char>, c: char, after: Option<char>) -> bool {
    let (Some(before), Some(after), true) = (before, after, is_joiner(c)) else {
        return false;
    };
    let is_in_word = is_of_joining_script(before) && is_of_joining_script(after);
    let is_in_emoji = c == '\u{200d}' && ends_emoji(before) && is_emoji(after);
    is_in_word || is_in_emoji
}

/// Letters and marks from Arabic to Sinhala, Myanmar, Khmer, Mongolian, and their extensions.
fn is_of_joining_script(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{18af}'
        | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{25a0}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}'
        | '\u{1f000}'..='\u{1faff}')
}

/// Emoji, and the sign that a character is to be drawn as one.
fn ends_emoji(c: char) -> bool {
    is_emoji(c) || c == '\u{fe0f}'
}

/// Makes a program's output safe for a terminal: lines, tabs and colours stay, whatever else acts on a terminal is
/// spelled out (`^[`), bytes that are not UTF-8 become replacement characters.
///
/// It keeps what may be the beginning of a colour or of a character until the rest arrives.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pending: Vec<u8>,
    /// Whether a colour was passed on that may still be set.
    coloured: bool,
    /// What was passed on last: a joiner looks at it.
    before: Option<char>,
}

/// Ends every colour.
const COLOURS_END: &str = "\u{1b}[0m";
/// The longest colour sequence that is passed on: `ESC [`, parameters, `m`.
const COLOUR_BYTES_MAX: usize = 32;

impl Filter {
    /// The safe form of the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let whole = self.pending.len() - unfinished(&self.pending);
        let bytes: Vec<u8> = self.pending.drain(..whole).collect();
        self.safe(&bytes)
    }

    /// The safe form of what was kept back, and the end of every colour.
    pub(crate) fn finish(&mut self) -> String {
        let bytes = std::mem::take(&mut self.pending);
        let mut text = self.safe(&bytes);
        if std::mem::take(&mut self.coloured) {
            text.push_str(COLOURS_END);
        }
        text
    }

    fn safe(&mut self, bytes: &[u8]) -> String {
        let text = safe(&String::from_utf8_lossy(bytes), &mut self.before);
        // Escapes that are left are colours.
        if let Some(last) = text.rfind('\u{1b}') {
            self.coloured = !text[last..].starts_with(COLOURS_END);
        }
        text
    }
}

/// How many bytes at the end may be the beginning of something.
fn unfinished(bytes: &[u8]) -> usize {
    let cut = cut_off(bytes);
    let before = &bytes[..bytes.len() - cut];
    // A joiner is shown or spelled out by what follows it.
    let joiner = ['\u{200c}', '\u{200d}'].into_iter().find(|joiner| {
        let mut buffer = [0; 4];
        before.ends_with(joiner.encode_utf8(&mut buffer).as_bytes())
    });
    cut + joiner.map_or(0, char::len_utf8)
}

/// How many bytes at the end are the beginning of a colour or of a character.
fn cut_off(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(COLOUR_BYTES_MAX)..];
    if let Some(start) = tail.iter().rposition(|&byte| byte == 0x1b)
        && colour(&tail[start..]) == Colour::Unfinished
    {
        return tail.len() - start;
    }
    if tail.last() == Some(&b'\r') {
        return 1;
    }
    match std::str::from_utf8(tail) {
        Err(error) if error.error_len().is_none() => tail.len() - error.valid_up_to(),
        // The tail may begin inside a character; only its end matters.
        _ => (1..=3.min(tail.len()))
            .find(|&length| is_cut_character(&tail[tail.len() - length..]))
            .unwrap_or(0),
    }
}

fn is_cut_character(bytes: &[u8]) -> bool {
    let needed = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return false,
    };
    bytes.len() < needed && bytes[1..].iter().all(|byte| byte & 0xc0 == 0x80)
}

#[derive(PartialEq, Eq)]
enum Colour {
    /// So many bytes.
    Whole(usize),
    Unfinished,
    Other,
}

/// What an escape at the beginning of `bytes` is.
fn colour(bytes: &[u8]) -> Colour {
    match bytes {
        [0x1b] => return Colour::Unfinished,
        [0x1b, b'[', ..] => {}
        _ => return Colour::Other,
    }
    for (position, byte) in bytes.iter().enumerate().skip(2).take(COLOUR_BYTES_MAX) {
        match byte {
            b'0'..=b'9' | b';' | b':' => {}
            b'm' => return Colour::Whole(position + 1),
            _ => return Colour::Other,
        }
    }
    if bytes.len() < COLOUR_BYTES_MAX {
        Colour::Unfinished
    } else {
        Colour::Other
    }
}

/// `before` is the character that precedes the text, and then its last one.
fn safe(text: &str, before: &mut Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if rest[1..].starts_with('\n') => {}
            '\u{1b}' => match colour(rest.as_bytes()) {
                Colour::Whole(bytes) => {
                    out.push_str(&rest[..bytes]);
                    length = bytes;
                }
                Colour::Unfinished | Colour::Other => out.push_str("^["),
            },
            '\0'..='\u{1f}' => {
                out.push('^');
                out.push(char::from(c as u8 + b'@'));
            }
            c if is_hidden(c) && !joins(*before, c, rest[length..].chars().next()) => {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
        *before = Some(c);
        rest = &rest[length..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_act_on_a_terminal() {
        for (text, expected) in [
            ("plain Börse", "plain Börse"),
            ("a\nb\tc", "a\\nb\\tc"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\u{202e}b\u{9b}", "a\\u{202e}b\\u{9b}"),
            // Persian, Hindi, a family, a heart on fire: as they are written.
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("क्\u{200d}ष", "क्\u{200d}ष"),
            ("👨\u{200d}👩\u{200d}👧", "👨\u{200d}👩\u{200d}👧"),
            ("❤\u{fe0f}\u{200d}🔥", "❤\u{fe0f}\u{200d}🔥"),
            // Joiners that join nothing would make two names look alike.
            ("a\u{200c}b\u{200d}", "a\\u{200c}b\\u{200d}"),
            ("می\u{200c}", "می\\u{200c}"),
            ("\u{200d}👧 👧\u{200c}👧", "\\u{200d}👧 👧\\u{200c}👧"),
        ] {
            assert_eq!(visible(text), expected, "{text:?}");
        }
    }

    #[test]
    fn output_keeps_lines_and_colours_and_nothing_else_acts_however_it_is_cut() {
        for (bytes, expected) in [
            (&b"a\r\nb\tc\n"[..], "a\nb\tc\n"),
            (b"\x1b[31;1mred\x1b[0m", "\x1b[31;1mred\x1b[0m"),
            (b"\x1b[31mleft red", "\x1b[31mleft red\x1b[0m"),
            (b"\x1b[2J\x1b]0;title\x07", "^[[2J^[]0;title^G"),
            (b"10%\r20%", "10%^M20%"),
            ("ä€😀\u{9b}31m".as_bytes(), "ä€😀\\u{9b}31m"),
            (b"bad \xff\xfe\n", "bad \u{fffd}\u{fffd}\n"),
            (b"cut \xe2\x82", "cut \u{fffd}"),
            (b"end \x1b[3", "end ^[[3"),
            (
                "می\u{200c}خواهم 👨\u{200d}👩".as_bytes(),
                "می\u{200c}خواهم 👨\u{200d}👩",
            ),
            (
                "a\u{200d}b می\u{200c}".as_bytes(),
                "a\\u{200d}b می\\u{200c}",
            ),
        ] {
            for size in 1..=bytes.len() {
                let mut filter = Filter::default();
                let mut found: String =
                    bytes.chunks(size).map(|piece| filter.push(piece)).collect();
                found += &filter.finish();
                assert_eq!(found, expected, "{bytes:?} in pieces of {size}");
            }
        }
    }
}
