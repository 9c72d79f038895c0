//! `report.html` in a headless Chromium: no error, no request, the numbers of summary.json, charts
//! that answer the pointer, a page that fits its window. Skipped where there is no Chromium.

#[path = "../browser_support/mod.rs"]
mod browser_support;

use serde_json::Value;
use sim_scenarios::report::html::FILE;

use crate::html::written;
use crate::numbers::everything;

#[test]
fn a_browser_shows_it() {
    let directory = written(&everything());
    let Some((charts, figures)) = browser_support::sound(&directory.path().join(FILE)) else {
        return;
    };
    let summary = std::fs::read_to_string(directory.path().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert!(charts >= 8, "{charts}");
    assert!(figures.len() > 80, "{}", figures.len());
    for [key, value, _] in &figures {
        assert_eq!(*value, summary.pointer(key).unwrap().to_string(), "{key}");
    }
    let settled = figures.iter().find(|it| it[0] == "/transactions/settled").unwrap();
    assert_eq!(settled[2], "4");
}
