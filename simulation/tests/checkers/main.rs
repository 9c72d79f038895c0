//! The invariant checkers: an honest run has no breach, and each planted breach is found under its
//! own name, with a text that says where.

mod agreement;
mod conservation;
mod delivery;
mod honest;
mod one_home;
