//! Cheats, and kills of a real market.

mod crash;
mod house;
mod market;
mod program;
