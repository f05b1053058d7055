//! The mischief room.
fn main() {}
