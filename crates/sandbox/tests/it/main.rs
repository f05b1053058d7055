//! One isolated session: what it can do, and what it cannot.

mod happy;
mod licence;
mod life;
mod limits;
mod measure;
mod outputs;
mod support;
mod walls;
