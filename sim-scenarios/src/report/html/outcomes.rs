//! What became of the transactions: outcomes, and why some were refused or failed.

use super::chart::heading;
use super::markup::words;
use super::source::{Document, Unit};
use crate::report::number::{grouped, plain};

/// Most reasons that are shown; summary.json has all of them.
const MOST_REASONS: usize = 40;

/// The section on outcomes.
#[must_use]
pub(super) fn outcomes(summary: &Document) -> String {
    let mut html = String::from("<div class=\"grid\">");
    html.push_str(&ends(summary));
    html.push_str(&reasons(summary));
    html.push_str("</div>");
    html
}

/// One bar of all that were offered, and their counts.
fn ends(summary: &Document) -> String {
    let offered = summary.count("/transactions/offered");
    let all = [
        ("settled", "c1", "done on every shard"),
        ("failed", "cross", "done, but a leg failed"),
        ("refused", "c6", "the client gave up"),
        ("replaced", "c3", "another one took its place"),
        ("unfinished", "all", "no outcome when the run ended"),
    ];
    let mut bar = String::new();
    let mut rows = String::new();
    for (name, class, what) in all {
        let pointer = format!("/transactions/{name}");
        let count = summary.count(&pointer);
        let share = count as f64 * 100.0 / offered.max(1) as f64;
        if count > 0 {
            bar.push_str(&format!(
                "<b class=\"{class}\" style=\"width:{}%\" title=\"{name}: {}\"></b>",
                plain(share),
                grouped(count)
            ));
        }
        rows.push_str(&format!(
            "<tr><th scope=\"row\"><i class=\"dot {class}\"></i>{name} <small>{what}</small></th>\
             <td>{}</td><td>{:.1} %</td></tr>",
            summary.figure(&pointer, Unit::Count),
            share
        ));
    }
    let admitted = summary.figure("/transactions/admitted", Unit::Count);
    let due = match summary.count("/transactions/not_due") {
        0 => String::new(),
        count => format!(" Of the unfinished, {} were not due yet.", grouped(count)),
    };
    let unit = "of recorded phases";
    format!(
        "<figure class=\"chart\">{}<div class=\"stack\">{bar}</div><table class=\"plain\"><tbody>{rows}\
         </tbody></table><p class=\"note\">{admitted} were in a mempool at some time.{due}</p></figure>\n",
        heading("Outcomes", unit)
    )
}

/// Refusals and failures by reason.
fn reasons(summary: &Document) -> String {
    let mut html =
        format!("<figure class=\"chart\">{}", heading("Refusals and failures", "by reason"));
    let groups = [
        ("Refused for good", "transactions", "/transactions/refused_by", "c6"),
        ("Failed", "transactions", "/transactions/failed_by", "cross"),
        ("Answers of shards that refused", "what is tried again counts again", "/refusals", "all"),
        ("Inputs that nodes dropped", "", "/dropped", "all"),
        ("Rows of traces that were skipped", "", "/skipped_rows", "all"),
    ];
    let mut any = false;
    for (title, note, pointer, class) in groups {
        let counts = summary.counts(pointer);
        let Some((_, most)) = counts.first().copied() else { continue };
        any = true;
        html.push_str(&format!("<h4>{title} <small>{note}</small></h4><div class=\"bars-list\">"));
        for (reason, count) in counts.iter().take(MOST_REASONS) {
            html.push_str(&format!(
                "<div class=\"bar wide\"><span>{}</span><i><b class=\"{class}\" \
                 style=\"width:{}%\"></b></i><span>{}</span></div>",
                words(reason),
                plain(*count as f64 * 100.0 / most.max(1) as f64),
                grouped(*count)
            ));
        }
        html.push_str("</div>");
    }
    if !any {
        html.push_str("<p class=\"empty\">Nothing was refused, and nothing failed.</p>");
    }
    html.push_str("</figure>\n");
    html
}
