//! Reads job files, with the place of every mistake.
