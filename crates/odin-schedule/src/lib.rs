//! Turns schedule text into occurrences.
