//! `report.html` of a sweep: effects with their intervals, what the axes do together, which cells
//! have a better ratio and no better latency, every cell in a table, and what it was made with.
//!
//! Each number of `effects.csv` stands in an element that names its row and column there:
//! `CELL/METRIC/COLUMN`.

mod cells;
mod metric;
mod plots;
mod tradeoff;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::markup::{Table, escaped, message};
use super::source::HtmlError;
use super::{FILE, MACHINE_BEGINS, MACHINE_ENDS, page};
use crate::report::number::grouped;
use crate::sweep::{LoadError, SweepResults, load};
use metric::Named;

/// Most runs whose digests are listed.
const MOST_RUNS: usize = 512;
/// Most runs that are named because something is wrong with them.
const MOST_WRONG: usize = 40;

/// Writes `report.html` into the directory of a sweep and returns its path.
///
/// # Errors
/// When a file of the sweep cannot be read, or the report cannot be written.
pub fn write(directory: &Path) -> Result<PathBuf, HtmlError> {
    let results = load(directory).map_err(|error| match error {
        LoadError::Read { path, source } => HtmlError::new(path, source),
        LoadError::Content { path, problem } => HtmlError::new(path, problem),
    })?;
    put(&results, directory)
}

/// Writes `report.html` of these results and returns its path.
///
/// # Errors
/// When it cannot be written.
pub fn put(results: &SweepResults, directory: &Path) -> Result<PathBuf, HtmlError> {
    let path = directory.join(FILE);
    fs::write(&path, render(results)).map_err(|error| HtmlError::new(&path, error))?;
    Ok(path)
}

/// The page.
#[must_use]
pub fn render(results: &SweepResults) -> String {
    let metrics: Vec<Named> = results.plan.metrics.iter().map(|path| Named::of(path)).collect();
    let head = title(results) + &cells::tiles(results, &metrics);
    let mut sections = vec![("Effects", plots::effects(results, &metrics))];
    if results.plan.axes.iter().any(|axis| axis.values.len() > 1) {
        sections.push(("Interactions", plots::interactions(results, &metrics)));
    }
    sections.push(("Trade-offs", tradeoff::tradeoffs(results)));
    sections.push(("Cells", cells::table(results, &metrics)));
    sections.push(("Verdicts", verdicts(results)));
    sections.push(("Manifest", manifest(results)));
    page(&format!("{}: sweep", results.plan.name), &head, &sections)
}

fn title(results: &SweepResults) -> String {
    let plan = &results.plan;
    let missing = results.missing();
    let wrong = results.runs.iter().filter(|run| run.verdict != "passed").count();
    let planned = plan.cells.len() * plan.seeds.len();
    let runs = grouped(results.runs.len() as u64);
    let (class, mark, words) = match (missing, wrong) {
        (0, 0) => ("good", "✓", format!("All {runs} runs passed")),
        (0, wrong) => ("bad", "✗", format!("{wrong} of {runs} runs did not pass")),
        (missing, _) => {
            ("fair", "…", format!("{missing} of {} runs are missing", grouped(planned as u64)))
        }
    };
    let axes = plan.axes.iter().map(|axis| format!("{} ({})", axis.name, axis.values.len()));
    let axes: Vec<String> = axes.collect();
    format!(
        "<header><p class=\"badge {class}\"><span aria-hidden=\"true\">{mark}</span> {words}</p>\
         <h1>{}</h1><p class=\"what\">{}</p><p class=\"what\">{}</p></header>\n",
        escaped(&plan.name),
        escaped(&crate::sweep::terminal::size(plan)),
        escaped(&format!("axes: {}", axes.join(" × "))),
    )
}

/// How the runs ended.
fn verdicts(results: &SweepResults) -> String {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for run in &results.runs {
        *counts.entry(run.verdict.as_str()).or_default() += 1;
    }
    let mut html = String::from("<ul class=\"checks\">");
    for (verdict, count) in &counts {
        let mark = match *verdict {
            "passed" => "<b class=\"good\">✓</b>",
            _ => "<b class=\"bad\">✗</b>",
        };
        html.push_str(&format!(
            "<li>{mark}{} {}</li>",
            grouped(*count),
            escaped(&verdict.replace('_', " "))
        ));
    }
    if results.missing() > 0 {
        html.push_str(&format!(
            "<li><b class=\"none\">–</b>{} missing: the sweep goes on when it is called again with \
             its directory</li>",
            grouped(results.missing() as u64)
        ));
    }
    html.push_str("</ul>");
    let wrong: Vec<_> = results.runs.iter().filter(|run| run.verdict != "passed").collect();
    if !wrong.is_empty() {
        html.push_str("<div class=\"notice bad\"><h3>Did not pass</h3><ul>");
        for run in wrong.iter().take(MOST_WRONG) {
            let problem = run.problem.as_deref().map_or(String::new(), |it| format!(": {it}"));
            html.push_str(&format!(
                "<li>{} <small>{}{}</small></li>",
                escaped(&run.directory),
                escaped(&run.verdict.replace('_', " ")),
                message(&problem)
            ));
        }
        if wrong.len() > MOST_WRONG {
            html.push_str(&format!("<li>and {} more: see runs.csv</li>", wrong.len() - MOST_WRONG));
        }
        html.push_str("</ul></div>");
    }
    html
}

fn manifest(results: &SweepResults) -> String {
    let plan = &results.plan;
    let mut html = String::from("<dl class=\"manifest\">");
    let mut fact = |name: &str, value: String| {
        html.push_str(&format!("<div><dt>{name}</dt><dd>{}</dd></div>", escaped(&value)));
    };
    fact("Scenario's seed", plan.seed.to_string());
    fact("Repeats", plan.seeds.len().to_string());
    fact("Order", plan.order.name().to_owned());
    if let Some(profile) = &plan.profile {
        fact("Cost profile", profile.name.clone());
    }
    fact("File", plan.file_hash.chars().take(18).collect());
    if !plan.overrides.is_empty() {
        fact("Changed with --set", plan.overrides.join(", "));
    }
    fact("Intervals", format!("{} %, {} resamples", plan.level * 100.0, plan.resamples));
    fact("Version of the files", plan.schema_version.to_string());
    html.push_str(MACHINE_BEGINS);
    let machine = &results.machine;
    let facts = &machine.facts;
    let mut fact = |name: &str, value: String| {
        html.push_str(&format!("<div><dt>{name}</dt><dd>{}</dd></div>", escaped(&value)));
    };
    fact("Shardlab", machine.shardlab.clone());
    if let Some(program) = &machine.program {
        fact("Program", program.chars().take(18).collect());
    }
    fact("Began", machine.began.clone());
    fact("System", facts.system.clone());
    fact("Processor", facts.processor.clone().unwrap_or_else(|| "unknown".to_owned()));
    fact("Cores", facts.cores.to_string());
    html.push_str(MACHINE_ENDS);
    html.push_str("</dl>");
    let mut table = Table::new(["run", "seed", "verdict", "digest"]);
    for run in results.runs.iter().take(MOST_RUNS) {
        table.row(vec![
            run.directory.clone(),
            run.seed.to_string(),
            run.verdict.replace('_', " "),
            run.digest.clone().unwrap_or_else(|| "–".to_owned()),
        ]);
    }
    let title = match results.runs.len() > MOST_RUNS {
        true => format!("Seeds and digests of the first {MOST_RUNS} runs"),
        false => "Seeds and digests".to_owned(),
    };
    html.push_str(&table.details(&title));
    html
}
