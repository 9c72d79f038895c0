//! With what the run was made: versions, seed, digest, machine, and the scenario as it was
//! understood.

use serde_json::Value;

use super::markup::{Table, escaped, shortened};
use super::source::{Document, Unit, shown};
use crate::report::number::{grouped, plain};

/// Most processes of the table; manifest.json has all of them.
const MOST_PROCESSES: usize = 300;
/// Most of the scenario that is shown, in characters.
const MOST_SCENARIO: usize = 65_536;

/// The section on what was run and on what.
#[must_use]
pub(super) fn manifest(summary: &Document, manifest: &Document, scenario: &str) -> String {
    let mut html = String::from("<dl class=\"manifest\">");
    fact(&mut html, "Scenario", &escaped(summary.text("/name")));
    fact(&mut html, "Seed", &summary.count("/seed").to_string());
    if let Some(events) = summary.at("/simulation/events").as_u64() {
        let digest = escaped(summary.text("/simulation/digest"));
        fact(&mut html, "Digest", &format!("<code>{digest}</code>"));
        let profile = escaped(summary.text("/simulation/profile"));
        fact(&mut html, "Cost profile", &profile);
        fact(&mut html, "Events", &grouped(events));
        let time = summary.number("/simulation/virtual_ms").unwrap_or(0.0);
        fact(&mut html, "Virtual time", &format!("{} s", plain(time / 1_000.0)));
    }
    fact(&mut html, "Schema version", &summary.count("/schema_version").to_string());
    html.push_str(super::MACHINE_BEGINS);
    machine(&mut html, manifest);
    html.push_str(super::MACHINE_ENDS);
    html.push_str("</dl>");
    html.push_str(super::MACHINE_BEGINS);
    html.push_str(&processes(manifest));
    html.push_str(super::MACHINE_ENDS);
    if !scenario.is_empty() {
        html.push_str(&format!(
            "<details><summary>Scenario, with every default</summary><pre>{}</pre></details>\n",
            shortened(scenario, MOST_SCENARIO)
        ));
    }
    html
}

fn machine(html: &mut String, manifest: &Document) {
    let text = |pointer: &str| escaped(manifest.text(pointer)).into_owned();
    let known = [("Shardlab", "/shardlab"), ("Started", "/started"), ("System", "/machine/system")];
    for (name, pointer) in known.into_iter().chain([("Processor", "/machine/processor")]) {
        if !manifest.text(pointer).is_empty() {
            fact(html, name, &text(pointer));
        }
    }
    if let Some(cores) = manifest.at("/machine/cores").as_u64() {
        fact(html, "Cores", &grouped(cores));
    }
    if let Some(memory) = manifest.at("/machine/memory_kib").as_u64() {
        let memory = crate::report::number::bytes(memory.saturating_mul(1_024));
        fact(html, "Memory", &memory);
    }
    if let Some(seconds) = manifest.number("/cpu_seconds") {
        let wall = manifest.number("/measured_ms").unwrap_or(0.0) / 1_000.0;
        fact(html, "CPU", &format!("{} CPU-seconds over {} s", plain(seconds), plain(wall)));
    }
    let parts = manifest.list("/durations").iter().filter_map(|part| {
        let name = escaped(part.get("name")?.as_str()?);
        Some(format!("{name} {} s", plain(part.get("ms")?.as_f64()? / 1_000.0)))
    });
    let parts: Vec<String> = parts.collect();
    if !parts.is_empty() {
        fact(html, "Wall-clock time", &parts.join(", "));
    }
}

/// What each process used.
fn processes(manifest: &Document) -> String {
    let all = manifest.list("/processes");
    if all.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        "process",
        "CPU-seconds",
        "waited for a core, s",
        "timer lag p99, ms",
        "timer lag max, ms",
        "lost observations",
    ]);
    for process in all.iter().take(MOST_PROCESSES) {
        let number = |key: &str, scale: f64| match process.pointer(key).and_then(Value::as_f64) {
            Some(number) => shown(number * scale, Unit::Number),
            None => "–".to_owned(),
        };
        table.row(vec![
            process.get("node").and_then(Value::as_str).unwrap_or_default().to_owned(),
            number("/cpu_seconds", 1.0),
            number("/run_queue_seconds", 1.0),
            number("/report/timer_lag_p99_us", 1e-3),
            number("/report/timer_lag_max_us", 1e-3),
            number("/report/lost_observations", 1.0),
        ]);
    }
    table.details(&format!("{} processes", all.len()))
}

/// A fact; the value is markup.
fn fact(html: &mut String, name: &str, value: &str) {
    html.push_str(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
}
