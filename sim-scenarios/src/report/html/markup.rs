//! Text for HTML that is also well-formed XML: what comes from files is escaped here, once.

use std::borrow::Cow;

/// The longest text from a file that is shown in full, in characters: messages, not documents.
pub(super) const MOST_CHARACTERS: usize = 2_000;

/// Text as the content of an element or of an attribute in double quotes. Characters that XML
/// forbids become `\u{fffd}`.
#[must_use]
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let plain = |c: char| !matches!(c, '&' | '<' | '>' | '"' | '\'') && is_allowed(c);
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if is_allowed(c) => safe.push(c),
            _ => safe.push('\u{fffd}'),
        }
    }
    Cow::Owned(safe)
}

/// Text cut to [`MOST_CHARACTERS`] and escaped.
#[must_use]
pub(super) fn message(text: &str) -> String {
    shortened(text, MOST_CHARACTERS)
}

/// Text cut to so many characters and escaped.
#[must_use]
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", escaped(&text[..end])),
        None => escaped(text).into_owned(),
    }
}

/// A name of a file as people read it: `cross_shard` is `cross shard`.
#[must_use]
pub(super) fn words(name: &str) -> String {
    escaped(name).replace('_', " ")
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\n' | '\t') || (!c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// Tables of text, for people to read and copy.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// Names of columns.
    pub head: Vec<String>,
    /// Cells; the first of a row is its name.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The element, in a box that scrolls.
    #[must_use]
    pub fn html(&self) -> String {
        let mut html = String::from("<div class=\"scroll\"><table><thead><tr>");
        for name in &self.head {
            html.push_str("<th scope=\"col\">");
            html.push_str(&escaped(name));
            html.push_str("</th>");
        }
        html.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            html.push_str("<tr>");
            for (at, cell) in row.iter().enumerate() {
                html.push_str(if at == 0 { "<th scope=\"row\">" } else { "<td>" });
                html.push_str(&escaped(cell));
                html.push_str(if at == 0 { "</th>" } else { "</td>" });
            }
            html.push_str("</tr>");
        }
        html.push_str("</tbody></table></div>");
        html
    }

    /// The element, folded away.
    #[must_use]
    pub fn details(&self, summary: &str) -> String {
        let rows = self.html();
        format!("<details><summary>{}</summary>{rows}</details>\n", escaped(summary))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_html_would_read_is_escaped() {
        for (text, safe) in [
            ("plain – µs", "plain – µs"),
            (
                "</script><b a=\"1\" c='2'>&",
                "&lt;/script&gt;&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;",
            ),
            ("\x1b[31mred\x00\n\tend", "\u{fffd}[31mred\u{fffd}\n\tend"),
        ] {
            assert_eq!(escaped(text), safe);
        }
        assert_eq!(shortened("<abc>", 2), "&lt;a…");
        assert_eq!(words("base_fee <"), "base fee &lt;");
        let mut table = Table::new(["<a>"]);
        table.row(vec!["&".to_owned()]);
        assert!(table.html().contains("&lt;a&gt;") && table.html().contains(">&amp;<"));
    }
}
