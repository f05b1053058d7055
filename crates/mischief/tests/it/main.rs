//! Cheats, and kills of a real market.

mod crash;
mod graphics;
mod house;
mod market;
mod program;
