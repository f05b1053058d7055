//! Signatures, trees and draws.

mod draws;
mod keyfile;
mod merkle;
mod requests;
mod typed;
