//! Metrics and reports of small hand-written runs.

mod browser;
mod documentation;
mod edge_cases;
mod files;
mod golden;
mod html;
mod html_bounds;
mod numbers;
mod stages;
mod world;
