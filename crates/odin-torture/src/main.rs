//! Real servers under faults, with a checker that trusts only evidence.
fn main() {}
