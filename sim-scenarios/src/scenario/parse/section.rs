//! Reads the keys of one table. Problems are collected, not returned, so that one run of the
//! parser finds all of them; a value that could not be read is `None` and enters no further check.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::super::problem::{Place, Problem, nearest};
use super::kind::Wrong;
use super::tree::{Node, Table, Value};

/// What all sections share.
#[derive(Debug, Default)]
pub(super) struct Notes {
    problems: RefCell<Vec<Problem>>,
    /// Every key that was asked for, by the path of its section (`phase.load`).
    known: RefCell<BTreeMap<String, BTreeSet<&'static str>>>,
    unknown: RefCell<Vec<UnknownKey>>,
    /// The keys that are needed and not there, by full path.
    missing: RefCell<Vec<(String, Problem)>>,
}

#[derive(Debug)]
struct UnknownKey {
    section: String,
    /// The section with its indices.
    shown: String,
    key: String,
    at: Place,
    siblings: Vec<&'static str>,
}

/// One table of the file and what was asked of it.
#[derive(Debug)]
pub(super) struct Section<'a> {
    notes: &'a Notes,
    table: &'a Table,
    /// Without indices: `phase.load`.
    path: String,
    /// With indices, for messages: `phase[0].load[1]`.
    shown: String,
    /// Where a problem of the section as a whole is shown.
    at: Place,
    asked: RefCell<Vec<&'static str>>,
}

/// A value with the place that a later check points at.
#[derive(Clone, Debug)]
pub(super) struct Field<T> {
    pub(super) value: T,
    pub(super) at: Place,
    /// `phase[0].load[1].rate`
    pub(super) path: String,
    /// Whether it stands in the file or in a `--set`; a default does not.
    pub(super) written: bool,
}

impl<T> Field<T> {
    /// Of two fields that do not fit each other, the place to point at: this one's, unless only
    /// the other one was written.
    pub(super) fn blame<'a, U>(&'a self, other: &'a Field<U>) -> &'a Place {
        if other.written && !self.written { &other.at } else { &self.at }
    }
}

impl Notes {
    pub(super) fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Points at `at`: `title`, with `label` under the caret.
    pub(super) fn wrong(&self, at: &Place, title: impl Into<String>, label: impl Into<String>) {
        self.add(Problem {
            title: title.into(),
            at: Some(at.clone()),
            label: label.into(),
            help: None,
        });
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.problems.borrow().is_empty()
            && self.unknown.borrow().is_empty()
            && self.missing.borrow().is_empty()
    }

    /// All problems; unknown keys are told from slips and from keys of other sections only here,
    /// when every section has been asked.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        let known = self.known.into_inner();
        let mut missing = self.missing.into_inner();
        for unknown in self.unknown.into_inner() {
            // A slip in a needed key is one problem, not two.
            if let Some(near) = unknown.nearest() {
                let meant = join(&unknown.shown, near);
                missing.retain(|(path, _)| *path != meant);
            }
            problems.push(unknown.explain(&known));
        }
        problems.extend(missing.into_iter().map(|(_, problem)| problem));
        problems
    }

    /// Every key that the parser has asked for, as `section.key`.
    #[cfg(test)]
    pub(super) fn known_keys(&self) -> BTreeSet<String> {
        let known = self.known.borrow();
        known.iter().flat_map(|(path, keys)| keys.iter().map(move |key| join(path, key))).collect()
    }
}

impl UnknownKey {
    /// The key that was meant, if this is a slip.
    fn nearest(&self) -> Option<&'static str> {
        nearest(&self.key, self.siblings.iter().copied())
    }

    fn explain(self, known: &BTreeMap<String, BTreeSet<&'static str>>) -> Problem {
        let near = self.nearest();
        let Self { section, key, at, siblings, .. } = self;
        let place =
            if section.is_empty() { "a scenario".to_owned() } else { format!("`{section}`") };
        let elsewhere = known.iter().find(|(_, keys)| keys.contains(key.as_str()));
        let label = match (near, elsewhere) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            // The kinds of loads have different keys under one path.
            (None, _) if section == "phase.load" => "this kind of load has no such key".to_owned(),
            (None, _) if section == "phase.fault" => {
                "this kind of fault has no such key".to_owned()
            }
            (None, Some((path, _))) if path.is_empty() => {
                "it belongs to the top of the file, before the first `[section]`".to_owned()
            }
            (None, Some((path, _))) => format!("it belongs to `{path}`"),
            (None, None) => "not a key that this version knows".to_owned(),
        };
        let keys: Vec<String> = siblings.iter().map(|key| format!("`{key}`")).collect();
        Problem {
            title: format!("unknown key `{key}` in {place}"),
            at: Some(at),
            label,
            help: Some(format!("{place} has {}", keys.join(", "))),
        }
    }
}

impl<'a> Section<'a> {
    /// The top of the file.
    pub(super) fn top(notes: &'a Notes, table: &'a Table) -> Self {
        let at = Place::new(0, 0..0);
        Self::new(notes, table, String::new(), String::new(), at)
    }

    /// A table that is not reached by a plain key (an element of an array), with its paths.
    pub(super) fn new(
        notes: &'a Notes,
        table: &'a Table,
        path: String,
        shown: String,
        at: Place,
    ) -> Self {
        Self { notes, table, path, shown, at, asked: RefCell::new(Vec::new()) }
    }

    /// Where a problem of the section as a whole is shown.
    pub(super) fn at(&self) -> &Place {
        &self.at
    }

    /// The path of one of its keys, for messages.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.shown, key)
    }

    /// The value of `key`, if it is there and can be read.
    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Node) -> Result<T, Wrong>,
    ) -> Option<Field<T>> {
        let node = self.node(key)?;
        let path = self.path_of(key);
        match read(node) {
            Ok(value) => Some(Field { value, at: node.at.clone(), path, written: true }),
            Err(wrong) => {
                self.notes.add(wrong.into_problem(&path, node));
                None
            }
        }
    }

    /// The value of `key`, or `default` if it is not there; `None` if it cannot be read.
    pub(super) fn with_default<T>(
        &self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Node) -> Result<T, Wrong>,
    ) -> Option<Field<T>> {
        if self.table.entries.contains_key(key) {
            self.optional(key, read)
        } else {
            self.ask(key);
            let (at, path) = (self.at.clone(), self.path_of(key));
            Some(Field { value: default, at, path, written: false })
        }
    }

    /// The value of `key`, which must be there. `example` shows how it is written.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Node) -> Result<T, Wrong>,
    ) -> Option<Field<T>> {
        if !self.table.entries.contains_key(key) {
            self.ask(key);
            self.missing(key, example);
        }
        self.optional(key, read)
    }

    /// Reports that `key` is needed.
    pub(super) fn missing(&self, key: &str, example: &str) {
        let path = self.path_of(key);
        let problem = Problem {
            title: format!("`{path}` is missing"),
            at: Some(self.at.clone()),
            label: format!("expected `{key}`"),
            help: Some(format!("write, for example, `{example}`")),
        };
        self.notes.missing.borrow_mut().push((path, problem));
    }

    /// Whether `key` is there, read or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.entries.contains_key(key)
    }

    /// Where `key` stands, if it is there.
    pub(super) fn key_at(&self, key: &'static str) -> Option<&'a Place> {
        self.ask(key);
        self.table.entries.get(key).map(|entry| &entry.key_at)
    }

    /// The table under `key`; an empty one if there is none.
    pub(super) fn section<'b>(&'b self, key: &'static str, empty: &'b Table) -> Section<'b> {
        let (table, at) = match self.node(key) {
            None => (empty, self.at.clone()),
            Some(Node { value: Value::Table(table), .. }) => {
                (table, self.table.entries[key].key_at.clone())
            }
            Some(node) => {
                let wrong = Wrong::kind("a table", node);
                self.notes.add(wrong.into_problem(&self.path_of(key), node));
                (empty, node.at.clone())
            }
        };
        Section::new(self.notes, table, join(&self.path, key), self.path_of(key), at)
    }

    /// The tables of the array under `key` (`[[key]]`): none if there is no such key, `None` if it
    /// is no such array.
    pub(super) fn sections<'b>(&'b self, key: &'static str) -> Option<Vec<Section<'b>>> {
        let Some(node) = self.node(key) else { return Some(Vec::new()) };
        let Value::Array(elements) = &node.value else {
            let wrong = Wrong::kind(&format!("an array of tables (`[[{key}]]`)"), node);
            self.notes.add(wrong.into_problem(&self.path_of(key), node));
            return None;
        };
        let mut sections = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            let shown = format!("{}[{index}]", self.path_of(key));
            match &element.value {
                Value::Table(table) => sections.push(Section::new(
                    self.notes,
                    table,
                    join(&self.path, key),
                    shown,
                    element.at.clone(),
                )),
                _ => self.notes.add(Wrong::kind("a table", element).into_problem(&shown, element)),
            }
        }
        Some(sections)
    }

    /// Its entries as they are, in the order of the file.
    pub(super) fn entries(&self) -> Vec<(&'a str, &'a Place, &'a Node)> {
        let mut entries: Vec<_> = self
            .table
            .entries
            .iter()
            .map(|(key, entry)| (key.as_str(), &entry.key_at, &entry.node))
            .collect();
        entries.sort_by_key(|(_, at, _)| (*at).clone());
        entries
    }

    /// Reports every key that nobody asked for. Called once all known ones were.
    pub(super) fn finish(self) {
        let asked = self.asked.into_inner();
        for (key, entry) in &self.table.entries {
            if !asked.contains(&key.as_str()) {
                self.notes.unknown.borrow_mut().push(UnknownKey {
                    section: self.path.clone(),
                    shown: self.shown.clone(),
                    key: key.clone(),
                    at: entry.key_at.clone(),
                    siblings: asked.clone(),
                });
            }
        }
    }

    fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.ask(key);
        self.table.entries.get(key).map(|entry| &entry.node)
    }

    fn ask(&self, key: &'static str) {
        self.notes.known.borrow_mut().entry(self.path.clone()).or_default().insert(key);
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
