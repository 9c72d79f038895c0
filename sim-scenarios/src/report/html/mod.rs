//! `report.html`: what a run measured, in one file that needs nothing else.
//!
//! It is made from the files of the run's directory alone, so that a directory of either world, of
//! today or of last year, gives it again. Headline numbers are those of `summary.json`; each stands
//! in an element that names its place there (`data-key`). Charts are SVG that is drawn here;
//! [`chart`] knows axes, [`timeline`] the time of the run. Everything that comes from a file passes
//! [`markup::escaped`], and a content security policy in the page forbids every request.
//!
//! Its size is bounded whatever the run: at most [`timeline::MOST_BINS`] bins of time,
//! [`timeline::MOST_LINES`] lines, [`traffic::MOST_CELLS`] rows of the heat map,
//! [`checkpoints::MOST_POINTS`] checkpoints, [`transactions::MOST_SLOW`] waterfalls. For a simulated
//! run it is a function of the scenario, but for what stands between [`MACHINE_BEGINS`] and
//! [`MACHINE_ENDS`].

mod blocks;
mod byzantine;
pub mod capacity;
mod chart;
mod checkpoints;
pub mod comparison;
mod intervals;
mod latency;
mod manifest;
mod markup;
mod migrations;
mod outcomes;
mod over_time;
pub(crate) mod scale;
mod slowest;
pub(crate) mod source;
pub mod sweep;
mod timeline;
mod traffic;
mod transactions;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};

use blocks::Chain;
use migrations::Migrations;
use source::Document;
use transactions::Transactions;

pub use source::HtmlError;

/// The name of the file.
pub const FILE: &str = "report.html";
/// Before what depends on the machine.
pub const MACHINE_BEGINS: &str = "<!--machine-->";
/// After it.
pub const MACHINE_ENDS: &str = "<!--/machine-->";

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Writes `report.html` into the directory of a run and returns its path.
///
/// # Errors
/// When a file of the run is missing or is not what a run writes, or the report cannot be written.
pub fn write(directory: &Path) -> Result<PathBuf, HtmlError> {
    let path = directory.join(FILE);
    let page = render(directory)?;
    fs::write(&path, page).map_err(|error| HtmlError::new(&path, error))?;
    Ok(path)
}

/// The report on the run in this directory.
///
/// # Errors
/// When a file of the run is missing or is not what a run writes.
pub fn render(directory: &Path) -> Result<String, HtmlError> {
    let summary = Document::read(&directory.join("summary.json"))?;
    let about = Document::read_if_there(&directory.join("manifest.json"));
    let scenario = fs::read_to_string(directory.join("scenario.toml")).unwrap_or_default();
    let chain = Chain::read(directory)?;
    let mut time = chain.timeline(&summary);
    let transactions = Transactions::read(directory, &summary, &time)?;
    time.phases(&transactions.phases);
    let migrations = Migrations::read(directory, &summary)?;
    time.bands.extend(migrations.bands(&time));
    let shards = summary.list("/by_shard").len();
    let mut sections = vec![
        ("Verdict", verdict::grounds(&summary, &about)),
        ("Transactions", outcomes::outcomes(&summary)),
        ("Latency", latency::latency(&summary, &transactions)),
        ("Shards", traffic::traffic(&summary, shards, &transactions.flows)),
        ("Over time", over_time::over_time(shards, &time, &chain, &transactions)),
        ("Checkpoints", checkpoints::checkpoints(&summary, &time, &chain)),
        ("Slowest", slowest::slowest(&transactions, &chain)),
        ("Manifest", manifest::manifest(&summary, &about, &scenario)),
    ];
    if let Some(html) = migrations.html(&summary, &time, &transactions) {
        let after = sections.iter().position(|(title, _)| *title == "Slowest");
        sections.insert(after.unwrap_or(sections.len()), ("Migrations", html));
    }
    let head = verdict::title(&summary, &about) + &verdict::headline(&summary);
    Ok(page(summary.text("/name"), &head, &sections))
}

fn page(name: &str, head: &str, sections: &[(&str, String)]) -> String {
    let mut links = String::new();
    let mut body = String::new();
    for (title, content) in sections {
        let id = title.to_lowercase().replace(' ', "-");
        links.push_str(&format!("<a href=\"#{id}\">{title}</a>"));
        body.push_str(&format!("<section id=\"{id}\"><h2>{title}</h2>\n{content}</section>\n"));
    }
    let name = markup::escaped(name);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\"/>\
         <link rel=\"icon\" href=\"data:,\"/><title>{name} – Shardlab</title>\n<style>\n{STYLE}</style>\
         </head>\n<body>\n<nav><b>Shardlab</b><div>{links}</div><button id=\"theme\" type=\"button\" \
         title=\"Light or dark\" aria-label=\"Light or dark\"></button></nav>\n<main>\n{head}{body}\
         </main>\n<div id=\"tip\" role=\"status\"></div>\n\
         <script>\n/*<![CDATA[*/\n{SCRIPT}/*]]>*/\n</script>\n</body></html>\n"
    )
}
