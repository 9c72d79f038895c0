//! The wire format and the preimages: golden files, round trips, hostile bytes, and what each hash
//! and proof binds (rules R-WIRE-1 to R-WIRE-5, R-RCPT-3, R-HDR-2).

mod arbitrary;
mod batch;
mod bodies;
mod certificate;
mod damage;
mod digests;
mod examples;
mod golden;
mod hostile;
mod merkle;
mod roundtrip;
mod transactions;
