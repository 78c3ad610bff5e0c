//! What attempts left behind that were told to keep it: the executor is its parent, and must let it live.

use std::collections::VecDeque;

use crate::protocol::AttemptKey;

/// Attempts remembered, at most. Beyond it the oldest is forgotten: what it left is then ended like any other orphan
/// the next time that a tree is ended.
const KEPT_MAX: usize = 10_000;

/// Attempts that are over and left something that may live, oldest first.
#[derive(Default)]
pub(super) struct Kept {
    attempts: VecDeque<(AttemptKey, u32)>,
}

impl Kept {
    /// Remembers an attempt by its key and its session.
    pub(super) fn add(&mut self, key: AttemptKey, session: u32) {
        self.attempts.push_back((key, session));
        if self.attempts.len() > KEPT_MAX {
            self.attempts.pop_front();
        }
    }

    /// Whether a process of this session, and of that attempt if it says so, may be one that is kept.
    pub(super) fn may_have(&self, session: u32, key: Option<AttemptKey>) -> bool {
        let mut attempts = self.attempts.iter();
        attempts.any(|(kept, of)| *of == session || key.is_none_or(|key| key == *kept))
    }

    /// No child is left, and so nothing that was kept.
    pub(super) fn clear(&mut self) {
        self.attempts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_spared_by_its_session_by_its_key_or_for_want_of_both() {
        let key = |run| AttemptKey::of_bits(run, 1);
        let mut kept = Kept::default();
        assert!(!kept.may_have(7, None));
        kept.add(key(1), 70);
        for (session, of, expected) in [
            (70, Some(key(2)), true),
            (7, Some(key(1)), true),
            (7, None, true),
            (7, Some(key(2)), false),
        ] {
            assert_eq!(kept.may_have(session, of), expected, "{session} {of:?}");
        }
        kept.clear();
        assert!(!kept.may_have(70, Some(key(1))));
    }
}
