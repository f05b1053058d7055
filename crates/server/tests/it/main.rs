//! The server from outside: its API and its pages.

mod browser;
mod bytes;
mod comparator;
mod earnings;
mod home;
mod market;
mod measure;
mod notices;
mod orders;
mod packed;
mod pages;
mod pages_fleet;
mod pages_jobs;
mod pages_orders;
mod pages_public;
mod pages_sign_in;
mod people;
mod retention;
mod studio;
