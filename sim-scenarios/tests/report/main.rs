//! Metrics and reports of small hand-written runs.

mod documentation;
mod edge_cases;
mod files;
mod golden;
mod numbers;
mod stages;
mod world;
