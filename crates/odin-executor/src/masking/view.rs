//! Ways to read a stream: as base64, or with the escapes of URLs and of JSON undone. What they yield is symbols, each
//! with the place in the stream where it is written.

use super::automaton::{Automaton, State};
use super::patterns::PIECE_BYTES_MAX;

/// A part of the stream that shows a secret: from its first byte to after its last.
pub(super) type Span = (u64, u64);

/// Line ends that may stand between two characters of base64: tools wrap it.
const GAP_MAX: u8 = 2;

/// Where the latest symbols are written: as many as a pattern can have.
struct Starts {
    ring: Box<[u64; PIECE_BYTES_MAX]>,
    count: usize,
}

impl Starts {
    fn new() -> Self {
        Self {
            ring: Box::new([0; PIECE_BYTES_MAX]),
            count: 0,
        }
    }

    fn push(&mut self, start: u64) {
        self.ring[self.count % PIECE_BYTES_MAX] = start;
        self.count += 1;
    }

    /// Of the `nth` latest, from 1.
    fn of_latest(&self, nth: usize) -> u64 {
        self.ring[(self.count - nth) % PIECE_BYTES_MAX]
    }
}

/// A character of base64 in the standard alphabet, whichever it is written in.
pub(super) fn base64_symbol(byte: u8) -> Option<u8> {
    match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'+' | b'/' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => Some(byte),
        _ => None,
    }
}

/// The stream as base64, in lines of any length.
pub(super) struct Base64 {
    state: State,
    starts: Starts,
    /// Line ends since the latest symbol.
    gap: u8,
}

impl Base64 {
    pub(super) fn new() -> Self {
        Self {
            state: State::ROOT,
            starts: Starts::new(),
            gap: 0,
        }
    }

    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.state == State::ROOT
    }

    #[inline]
    pub(super) fn take(&mut self, automaton: &Automaton, byte: u8, at: u64) -> Option<Span> {
        let Some(symbol) = base64_symbol(byte) else {
            self.gap += 1;
            if !matches!(byte, b'\n' | b'\r') || self.gap > GAP_MAX {
                (self.state, self.gap) = (State::ROOT, 0);
            }
            return None;
        };
        self.gap = 0;
        self.state = automaton.step(self.state, symbol);
        if self.is_idle() {
            return None;
        }
        self.starts.push(at);
        match automaton.found(self.state) {
            0 => None,
            found => Some((self.starts.of_latest(found), at + 1)),
        }
    }

    /// Nothing has begun after all.
    #[inline]
    pub(super) fn reset(&mut self) {
        (self.state, self.gap) = (State::ROOT, 0);
    }

    /// How many characters have begun a pattern.
    #[inline]
    pub(super) fn depth(&self, automaton: &Automaton) -> usize {
        automaton.depth(self.state)
    }

    /// Where what has begun is written.
    pub(super) fn begun(&self, automaton: &Automaton) -> Option<u64> {
        match self.depth(automaton) {
            0 => None,
            depth => Some(self.starts.of_latest(depth)),
        }
    }
}

/// Which escapes a [`Decoded`] view undoes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// `%41`.
    Percent,
    /// `%41`, and `+` for a space.
    Form,
    /// `\n`, `\"`, `\u0041`.
    Json,
}

/// The longest escape: two halves of a character in JSON.
pub(super) const ESCAPE_BYTES_MAX: usize = 12;

/// What the bytes since an escape's beginning are.
pub(super) enum Escape {
    Unfinished,
    /// No escape: its first byte stands for itself.
    No,
    /// One to four bytes.
    Of([u8; 4], usize),
}

impl Escapes {
    pub(super) fn begin_with(self, byte: u8) -> bool {
        match self {
            Self::Percent => byte == b'%',
            Self::Form => matches!(byte, b'%' | b'+'),
            Self::Json => byte == b'\\',
        }
    }

    pub(super) fn read(self, bytes: &[u8]) -> Escape {
        let one = |byte| Escape::Of([byte, 0, 0, 0], 1);
        match (self, bytes) {
            (Self::Json, bytes) => read_json(bytes),
            (Self::Form, b"+") => one(b' '),
            (_, [b'%']) => Escape::Unfinished,
            (_, [b'%', digits @ ..]) => match number(digits) {
                None => Escape::No,
                Some(_) if digits.len() < 2 => Escape::Unfinished,
                Some(number) => one(u8::try_from(number).expect("two digits")),
            },
            _ => Escape::No,
        }
    }
}

/// A number in hexadecimal digits of either case, if they are.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        Some(number << 4 | char::from(*digit).to_digit(16)?)
    })
}

fn read_json(bytes: &[u8]) -> Escape {
    let one = |byte| Escape::Of([byte, 0, 0, 0], 1);
    match bytes {
        [b'\\'] | [b'\\', b'u'] => Escape::Unfinished,
        [b'\\', letter @ (b'"' | b'\\' | b'/' | b'\'')] => one(*letter),
        [b'\\', b'b'] => one(8),
        [b'\\', b'f'] => one(12),
        [b'\\', b'n'] => one(b'\n'),
        [b'\\', b'r'] => one(b'\r'),
        [b'\\', b't'] => one(b'\t'),
        [b'\\', b'u', digits @ ..] if digits.len() <= 4 => match number(digits) {
            None => Escape::No,
            Some(0xd800..=0xdbff) => Escape::Unfinished,
            Some(_) if digits.len() < 4 => Escape::Unfinished,
            Some(unit) => character(unit),
        },
        [b'\\', b'u', a, b, c, d, second @ ..] => match second {
            [b'\\'] | [b'\\', b'u'] => Escape::Unfinished,
            [b'\\', b'u', digits @ ..] => match (number(&[*a, *b, *c, *d]), number(digits)) {
                (Some(_), Some(_)) if digits.len() < 4 => Escape::Unfinished,
                (Some(high), Some(low @ 0xdc00..=0xdfff)) => {
                    character(0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff))
                }
                _ => Escape::No,
            },
            _ => Escape::No,
        },
        _ => Escape::No,
    }
}

fn character(code: u32) -> Escape {
    let mut bytes = [0; 4];
    match char::from_u32(code) {
        Some(character) => {
            let length = character.encode_utf8(&mut bytes).len();
            Escape::Of(bytes, length)
        }
        None => Escape::No,
    }
}

/// The stream with escapes undone. As long as there are none it is the stream itself, and the view sleeps: it wakes at
/// the first byte of an escape, and sleeps again once no escape is part of what has begun.
pub(super) struct Decoded {
    escapes: Escapes,
    is_awake: bool,
    state: State,
    starts: Starts,
    /// Symbols since the latest escape.
    literal: usize,
    pending: [u8; ESCAPE_BYTES_MAX],
    pending_count: usize,
    /// Where the first of them is written.
    pending_at: u64,
}

impl Decoded {
    pub(super) fn new(escapes: Escapes) -> Self {
        Self {
            escapes,
            is_awake: false,
            state: State::ROOT,
            starts: Starts::new(),
            literal: 0,
            pending: [0; ESCAPE_BYTES_MAX],
            pending_count: 0,
            pending_at: 0,
        }
    }

    #[inline]
    pub(super) fn is_asleep(&self) -> bool {
        !self.is_awake
    }

    /// Takes a byte. `plain` is the state of the stream as it is, before that byte.
    pub(super) fn take(
        &mut self,
        automaton: &Automaton,
        plain: State,
        byte: u8,
        at: u64,
        mut found: impl FnMut(Span),
    ) {
        if !self.is_awake {
            if !self.escapes.begin_with(byte) {
                return;
            }
            self.is_awake = true;
            self.state = plain;
            let depth = automaton.depth(plain);
            self.literal = depth;
            for start in at - depth as u64..at {
                self.starts.push(start);
            }
        }
        // Once a byte turns out to begin no escape, those after it are read again: they are the latest of the stream.
        let (mut unread, mut count) = ([0; ESCAPE_BYTES_MAX], 1);
        unread[0] = byte;
        while count > 0 {
            let (byte, at) = (unread[0], at + 1 - count as u64);
            unread.copy_within(1..count, 0);
            count -= 1;
            if self.pending_count == 0 && !self.escapes.begin_with(byte) {
                self.feed(automaton, byte, (at, at + 1), false, &mut found);
                continue;
            }
            if self.pending_count == 0 {
                self.pending_at = at;
            }
            self.pending[self.pending_count] = byte;
            self.pending_count += 1;
            match self.escapes.read(&self.pending[..self.pending_count]) {
                Escape::Unfinished => {}
                Escape::Of(bytes, length) => {
                    self.pending_count = 0;
                    let span = (self.pending_at, at + 1);
                    for byte in &bytes[..length] {
                        self.feed(automaton, *byte, span, true, &mut found);
                    }
                }
                Escape::No => {
                    let (first, rest) = (self.pending[0], self.pending_count - 1);
                    unread.copy_within(0..count, rest);
                    unread[..rest].copy_from_slice(&self.pending[1..=rest]);
                    count += rest;
                    self.pending_count = 0;
                    let start = self.pending_at;
                    self.feed(automaton, first, (start, start + 1), false, &mut found);
                }
            }
        }
        if self.pending_count == 0 && automaton.depth(self.state) <= self.literal {
            self.is_awake = false;
        }
    }

    fn feed(
        &mut self,
        automaton: &Automaton,
        byte: u8,
        (start, end): Span,
        is_escape: bool,
        found: &mut impl FnMut(Span),
    ) {
        self.state = automaton.step(self.state, byte);
        self.starts.push(start);
        self.literal = if is_escape { 0 } else { self.literal + 1 };
        match automaton.found(self.state) {
            0 => {}
            length => found((self.starts.of_latest(length), end)),
        }
    }

    /// Where what has begun is written.
    pub(super) fn begun(&self, automaton: &Automaton) -> Option<u64> {
        if !self.is_awake {
            return None;
        }
        let pending = (self.pending_count > 0).then_some(self.pending_at);
        match automaton.depth(self.state) {
            0 => pending,
            // Before what is pending.
            depth => Some(self.starts.of_latest(depth)),
        }
    }
}
