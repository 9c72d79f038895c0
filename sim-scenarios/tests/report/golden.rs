//! The report and the summary of the run in which everything happens, as files. Run with
//! `SHARDLAB_BLESS=1` to write them anew.

use std::path::{Path, PathBuf};

use sim_scenarios::metrics::measure;
use sim_scenarios::report::{Style, summary, terminal};

use crate::numbers::everything;

#[test]
fn terminal_report() {
    let world = everything();
    let text = terminal(&measure(&world.run), Path::new("runs/by-hand"), Style { colour: false });
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
        assert_eq!(line, line.trim_end());
    }
    compare("report.txt", &text);
}

#[test]
fn summary_json() {
    let world = everything();
    compare("summary.json", &summary(&measure(&world.run)).to_string());
}

#[test]
fn colour_changes_nothing_but_colour() {
    let world = everything();
    let measured = measure(&world.run);
    let [plain, coloured] =
        [false, true].map(|colour| terminal(&measured, Path::new("runs/x"), Style { colour }));
    let mut bare = coloured.replace("\x1b[0m", "");
    for code in [31, 32, 33] {
        bare = bare.replace(&format!("\x1b[1;{code}m"), "");
    }
    assert_ne!(plain, coloured);
    assert_eq!(plain, bare);
}

fn compare(name: &str, found: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests/report/golden", name].iter().collect();
    if std::env::var_os("SHARDLAB_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert!(golden == found, "{} differs; found:\n{found}", path.display());
}
