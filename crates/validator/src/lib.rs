//! The validator room.
