//! What is wrong with a scenario: each problem with its place, shown with the line and a caret.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

/// The most problems that are shown at once.
const MAX_SHOWN: usize = 50;

/// Why a scenario was not accepted: all its independent problems, by place.
#[derive(Clone, Debug)]
pub struct Rejected {
    sources: Vec<Source>,
    problems: Vec<Problem>,
}

/// A text that a scenario was read from: the file, or one `--set` argument.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The file's path, or `--set`.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Where something stands: a range of bytes of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// 0: the file. n: the nth `--set`.
    pub(crate) source: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// What is wrong, in one line.
    pub(crate) title: String,
    /// Where; `None` for the file as a whole.
    pub(crate) at: Option<Place>,
    /// What was expected, shown under the caret.
    pub(crate) label: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
}

/// A problem as `shardlab check --json` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Located {
    /// The file's path, or `--set`.
    pub file: String,
    /// From 1; absent for the file as a whole.
    pub line: Option<usize>,
    /// In characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What was expected.
    pub expected: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Rejected {
    /// `problems` is not empty.
    pub(crate) fn new(sources: Vec<Source>, mut problems: Vec<Problem>) -> Self {
        assert!(!problems.is_empty(), "a scenario without problems was rejected");
        problems.sort_by(|a, b| a.at.cmp(&b.at));
        Self { sources, problems }
    }

    /// A problem of the file as a whole.
    pub(crate) fn file(path: PathBuf, title: String, help: Option<String>) -> Self {
        let source = Source { name: path.display().to_string(), text: String::new() };
        Self::new(vec![source], vec![Problem { title, at: None, label: String::new(), help }])
    }

    /// Every problem with its place, for programs.
    #[must_use]
    pub fn located(&self) -> Vec<Located> {
        self.problems.iter().map(|problem| self.locate(problem)).collect()
    }

    /// The text for people: every problem with its line and a caret, then how many there are.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in self.problems.iter().take(MAX_SHOWN) {
            text.push_str(&renderer.render(&[self.group(problem)]));
            text.push_str("\n\n");
        }
        if self.problems.len() > MAX_SHOWN {
            text.push_str(&format!("… and {} more\n\n", self.problems.len() - MAX_SHOWN));
        }
        let file = &self.sources[0].name;
        text.push_str(&match self.problems.len() {
            1 => format!("{file}: 1 problem"),
            count => format!("{file}: {count} problems"),
        });
        text
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let title = Level::ERROR.primary_title(problem.title.as_str());
        let mut group = Group::with_title(title);
        if let Some(place) = &problem.at {
            let source = &self.sources[place.source];
            let (line, shown, span) = source.excerpt(place);
            let mut caret = AnnotationKind::Primary.span(span);
            if !problem.label.is_empty() {
                caret = caret.label(problem.label.as_str());
            }
            group = group.element(
                Snippet::source(shown)
                    .line_start(line)
                    .path(source.name.as_str())
                    .fold(false)
                    .annotation(caret),
            );
        }
        match &problem.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }

    fn locate(&self, problem: &Problem) -> Located {
        let position = problem.at.as_ref().map(|place| self.sources[place.source].position(place));
        Located {
            file: self.sources[problem.at.as_ref().map_or(0, |place| place.source)].name.clone(),
            line: position.map(|(line, _)| line),
            column: position.map(|(_, column)| column),
            problem: problem.title.clone(),
            expected: problem.label.clone(),
            help: problem.help.clone(),
        }
    }
}

/// As people read it, without colour.
impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Rejected {}

impl Place {
    pub(crate) fn new(source: usize, span: Range<usize>) -> Self {
        Self { source, start: span.start, end: span.end }
    }
}

impl Source {
    /// The line on which a place begins: its number, its text, and the place within it (cut at
    /// the line's end).
    fn excerpt(&self, place: &Place) -> (usize, &str, Range<usize>) {
        let start = self.boundary(place.start);
        let from = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let rest = &self.text[from..];
        let line = rest.split('\n').next().unwrap_or(rest);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let start = (start - from).min(line.len());
        let end = (self.boundary(place.end).max(from) - from).clamp(start, line.len());
        let number = self.text[..from].matches('\n').count() + 1;
        (number, line, start..end)
    }

    fn position(&self, place: &Place) -> (usize, usize) {
        let (number, line, span) = self.excerpt(place);
        (number, line[..span.start].chars().count() + 1)
    }

    /// The nearest start of a character at or before `offset`.
    fn boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

/// The known word nearest to `wrong`, if it is near enough to be a slip.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = 1 + wrong.chars().count() / 4;
    // Long input is no slip, and the distance takes quadratic time.
    if wrong.len() > 64 {
        return None;
    }
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(wrong, word), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_cut_to_their_line() {
        let source = Source { name: "x".to_owned(), text: "a = 1\r\nbé = [\n 2]\n".to_owned() };
        let at = |start, end| source.excerpt(&Place::new(0, start..end));
        assert_eq!(at(4, 5), (1, "a = 1", 4..5));
        assert_eq!(at(7, 10), (2, "bé = [", 0..3));
        assert_eq!(at(13, 18), (2, "bé = [", 6..7));
        assert_eq!(at(99, 120), (4, "", 0..0));
        assert_eq!(source.position(&Place::new(0, 13..14)), (2, 6));
    }

    #[test]
    fn slips_are_recognised() {
        let known = ["shards", "validators", "block_time", "block_phase"];
        assert_eq!(nearest("shard", known), Some("shards"));
        assert_eq!(nearest("blocktime", known), Some("block_time"));
        assert_eq!(nearest("vaildators", known), Some("validators"));
        assert_eq!(nearest("replicas", known), None);
    }
}
