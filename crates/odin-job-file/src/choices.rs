//! The words among which a key's value is chosen.
