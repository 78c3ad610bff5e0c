//! The decisions of Odin, as pure functions of state and now.
