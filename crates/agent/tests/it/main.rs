//! The provider's side, against a platform that a test moves.

mod cockpit;
mod node;
mod page;
mod provide;
mod rulings;
#[path = "../../../worker/tests/support/mod.rs"]
mod support;
