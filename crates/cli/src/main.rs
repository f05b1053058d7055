//! The cli room.
fn main() {}
