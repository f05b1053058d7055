//! What a node does with a task.

mod bench;
mod blender;
mod environment;
#[path = "../support/mod.rs"]
mod support;
