//! The market's whole life under a fake clock.

mod devices;
mod fleet;
mod life;
mod pauses;
mod reuse;
mod sight;
mod terms;
mod waiting;
mod world;
