//! Machines of providers and validators.

pub(crate) mod drain;
pub(crate) mod earnings;
pub(crate) mod offer;
pub(crate) mod poll;
pub(crate) mod register;
pub(crate) mod show;
