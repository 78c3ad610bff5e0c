//! The automaton of Aho and Corasick over bytes: finds every pattern in one pass, and tells at each byte how much of
//! a pattern may have begun. That depth is what a stream has to hold back, and why no ready-made automaton is used.

use zeroize::Zeroize;

/// A place in the automaton: what of the text just read begins some pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State(u32);

impl State {
    /// Nothing has begun.
    pub(super) const ROOT: Self = Self(0);
}

/// Most states have one way on: 20 bytes for each byte of a pattern.
struct Node {
    fail: u32,
    /// Where `byte` leads; 0 when there is no way on.
    next: u32,
    /// The first of further ways on, in `more`; 0 for none.
    more: u32,
    depth: u16,
    /// How long the longest pattern is that ends here; 0 for none.
    found: u16,
    byte: u8,
}

/// A further way on from a state that has several.
struct Way {
    to: u32,
    /// The next of them; 0 for none.
    rest: u32,
    byte: u8,
}

/// Patterns, none of them empty, ready to be found.
pub(super) struct Automaton {
    nodes: Vec<Node>,
    more: Vec<Way>,
    /// Where each byte leads from the root.
    root: Box<[u32; 256]>,
}

impl Automaton {
    pub(super) fn new(patterns: &[impl AsRef<[u8]>]) -> Self {
        let node = |depth| Node {
            fail: 0,
            next: 0,
            more: 0,
            depth,
            found: 0,
            byte: 0,
        };
        let unused = Way {
            to: 0,
            rest: 0,
            byte: 0,
        };
        let mut this = Self {
            nodes: vec![node(0)],
            more: vec![unused],
            root: Box::new([0; 256]),
        };
        for pattern in patterns {
            let pattern = pattern.as_ref();
            let length = u16::try_from(pattern.len()).expect("patterns are bounded");
            let mut at = 0;
            for (depth, &byte) in (1..=length).zip(pattern) {
                at = match this.way(at, byte) {
                    Some(to) => to,
                    None => {
                        let to = u32::try_from(this.nodes.len()).expect("patterns are bounded");
                        this.nodes.push(node(depth));
                        this.add_way(at, byte, to);
                        to
                    }
                };
            }
            this.node_mut(at).found = length;
        }
        this.link();
        this
    }

    fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    fn node_mut(&mut self, at: u32) -> &mut Node {
        &mut self.nodes[at as usize]
    }

    /// Where a byte leads without falling back.
    fn way(&self, at: u32, byte: u8) -> Option<u32> {
        if at == 0 {
            return Some(self.root[usize::from(byte)]).filter(|to| *to != 0);
        }
        let node = self.node(at);
        if node.next != 0 && node.byte == byte {
            return Some(node.next);
        }
        let mut way = node.more;
        while way != 0 {
            let Way { to, rest, byte: on } = self.more[way as usize];
            if on == byte {
                return Some(to);
            }
            way = rest;
        }
        None
    }

    fn add_way(&mut self, at: u32, byte: u8, to: u32) {
        if at == 0 {
            self.root[usize::from(byte)] = to;
            return;
        }
        let place = u32::try_from(self.more.len()).expect("patterns are bounded");
        let node = self.node_mut(at);
        if node.next == 0 {
            (node.next, node.byte) = (to, byte);
            return;
        }
        let rest = std::mem::replace(&mut node.more, place);
        self.more.push(Way { to, rest, byte });
    }

    /// Says for each state where to fall back to, and what has been found by being there. In the order of depths, so
    /// that what is fallen back to is known before.
    fn link(&mut self) {
        let mut queue: std::collections::VecDeque<u32> =
            self.root.iter().copied().filter(|to| *to != 0).collect();
        while let Some(at) = queue.pop_front() {
            for (byte, to) in self.ways(at) {
                let fail = self.step(State(self.node(at).fail), byte);
                let found = self.node(fail.0).found;
                let node = self.node_mut(to);
                node.fail = fail.0;
                node.found = node.found.max(found);
                queue.push_back(to);
            }
        }
    }

    fn ways(&self, at: u32) -> Vec<(u8, u32)> {
        let node = self.node(at);
        let mut ways = Vec::new();
        if node.next != 0 {
            ways.push((node.byte, node.next));
        }
        let mut way = node.more;
        while way != 0 {
            let Way { to, rest, byte } = self.more[way as usize];
            ways.push((byte, to));
            way = rest;
        }
        ways
    }

    /// The state after one more byte.
    #[inline]
    pub(super) fn step(&self, state: State, byte: u8) -> State {
        let mut at = state.0;
        loop {
            if at == 0 {
                return State(self.root[usize::from(byte)]);
            }
            if let Some(to) = self.way(at, byte) {
                return State(to);
            }
            at = self.node(at).fail;
        }
    }

    /// How many of the latest bytes begin a pattern, or are one.
    #[inline]
    pub(super) fn depth(&self, state: State) -> usize {
        usize::from(self.node(state.0).depth)
    }

    /// How long the longest pattern is that ends at the latest byte; 0 for none.
    #[inline]
    pub(super) fn found(&self, state: State) -> usize {
        usize::from(self.node(state.0).found)
    }

    /// Whether a byte begins a pattern.
    #[inline]
    pub(super) fn begins(&self, byte: u8) -> bool {
        self.root[usize::from(byte)] != 0
    }
}

impl Drop for Automaton {
    fn drop(&mut self) {
        // The ways spell the patterns out.
        self.nodes.iter_mut().for_each(|node| node.byte.zeroize());
        self.more.iter_mut().for_each(|way| way.byte.zeroize());
        self.root.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What ends at each byte, and the depth there.
    fn walk(patterns: &[&str], text: &str) -> Vec<(usize, usize)> {
        let automaton = Automaton::new(patterns);
        let mut state = State::ROOT;
        let step = |byte| {
            state = automaton.step(state, byte);
            (automaton.found(state), automaton.depth(state))
        };
        text.bytes().map(step).collect()
    }

    #[test]
    fn the_longest_pattern_that_ends_is_told_and_how_much_has_begun() {
        let seen = walk(&["he", "she", "hers"], "ushers");
        assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (3, 3), (0, 3), (4, 4)]);
        assert_eq!(
            walk(&["aa", "aaa"], "aaaa"),
            [(0, 1), (2, 2), (3, 3), (3, 3)]
        );
    }

    proptest! {
        #[test]
        fn it_agrees_with_looking_at_every_end(
            patterns in prop::collection::vec("[ab]{1,6}", 1..6),
            text in "[abc]{0,40}",
        ) {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            for (end, (found, depth)) in (1..).zip(walk(&patterns, &text)) {
                let read = &text[..end];
                let longest = patterns.iter().filter(|it| read.ends_with(**it)).map(|it| it.len()).max();
                prop_assert_eq!(found, longest.unwrap_or(0));
                let begun = (0..=end).rev().find(|length| {
                    patterns.iter().any(|it| it.starts_with(&read[end - length..]))
                });
                prop_assert_eq!(Some(depth), begun);
            }
        }
    }
}
