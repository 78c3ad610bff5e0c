//! The odin command: server, executor and command line in one.
fn main() {}
