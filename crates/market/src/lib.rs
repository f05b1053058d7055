//! The market room.
