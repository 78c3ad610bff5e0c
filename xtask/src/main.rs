//! The repository's own commands: verify, fix, test, bench.
fn main() {}
