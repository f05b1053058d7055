//! The submit room.
