//! `--set path=value`: replaces or adds one value of the tree before it is read, so that whatever
//! is wrong with it is found by the same checks and shown in the argument.

use super::super::problem::{Place, Problem, nearest};
use super::tree::{self, Entry, Node, Table, Value};
use toml::de::DeValue;

/// The deepest path has about six.
const MAX_STEPS: usize = 32;

/// One step of a path.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) at: Place,
}

/// Applies the argument `text`, which is the source numbered `source`.
///
/// The path's steps are separated by dots; a step that is not of letters, digits, `-` and `_` is
/// quoted; an element of an array is named by its index (`phase[0]` or `phase.0`) or by its `name`
/// (`phase.steady`). A value that is not TOML is taken as a string, so `500ms` needs no quotes.
pub(super) fn apply(root: &mut Table, source: usize, text: &str) -> Result<(), Problem> {
    let (steps, value_at) = path(source, text)?;
    let value = value(source, value_at, text)?;
    set(root, &steps, value, "")
}

/// The steps of a path that stands at `at`.
pub(super) fn steps(text: &str, at: &Place) -> Result<Vec<Step>, Problem> {
    let read = path(0, &format!("{text}=")).and_then(|(steps, end)| match end == text.len() + 1 {
        true => Ok(steps),
        false => Err(problem(at, "expected a path, such as `network.shards`")),
    });
    let placed = |step: Step| Step { at: at.clone(), ..step };
    read.map(|steps| steps.into_iter().map(placed).collect()).map_err(|problem| Problem {
        title: format!("`{text}` is not the path of a field"),
        at: Some(at.clone()),
        ..problem
    })
}

/// The names of the steps of an argument, if it can be read.
pub(super) fn names(text: &str) -> Option<Vec<String>> {
    let (steps, _) = path(0, text).ok()?;
    Some(steps.into_iter().map(|step| step.name).collect())
}

/// Puts `value` where `steps` lead. Tables that are missing on the way are made; if a name on it
/// is not known, reading the section says so.
pub(super) fn set(
    table: &mut Table,
    steps: &[Step],
    value: Node,
    walked: &str,
) -> Result<(), Problem> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    if rest.is_empty() {
        let entry = Entry { key_at: step.at.clone(), node: value };
        table.entries.insert(step.name.clone(), entry);
        return Ok(());
    }
    let entry = table.entries.entry(step.name.clone()).or_insert_with(|| Entry {
        key_at: step.at.clone(),
        node: Node { value: Value::Table(Table::default()), at: step.at.clone() },
    });
    let walked =
        if walked.is_empty() { step.name.clone() } else { format!("{walked}.{}", step.name) };
    set_within(&mut entry.node, rest, value, walked)
}

/// The same from a value that was reached; `steps` is not empty.
fn set_within(node: &mut Node, steps: &[Step], value: Node, walked: String) -> Result<(), Problem> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    match &mut node.value {
        Value::Table(table) => set(table, steps, value, &walked),
        Value::Array(elements) => {
            let index = element(elements, step, &walked)?;
            if rest.is_empty() {
                elements[index] = value;
                return Ok(());
            }
            set_within(&mut elements[index], rest, value, format!("{walked}[{index}]"))
        }
        other => {
            let label = format!("`{walked}` is {}, not a table", other.described());
            Err(problem(&step.at, &label))
        }
    }
}

/// The steps before the `=`, and where the value begins.
fn path(source: usize, text: &str) -> Result<(Vec<Step>, usize), Problem> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        let offset = text.len() - rest.len();
        let (name, length) = if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(|| {
                problem(&Place::new(source, offset..text.len()), "this quote is never closed")
            })?;
            (&quoted[..end], end + 2)
        } else {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
            let end = end.unwrap_or(rest.len());
            (&rest[..end], end)
        };
        if length == 0 {
            let label = "expected `path=value`, such as `network.shards=8`";
            return Err(problem(&next_character(source, offset, text), label));
        }
        let at = Place::new(source, offset..offset + length);
        steps.push(Step { name: name.to_owned(), at });
        rest = &rest[length..];
        while let Some((index, after)) = index(rest) {
            let offset = text.len() - rest.len() + 1;
            let at = Place::new(source, offset..offset + index.len());
            steps.push(Step { name: index.to_owned(), at });
            rest = after;
        }
        let offset = text.len() - rest.len();
        if rest.starts_with('=') {
            return Ok((steps, offset + 1));
        }
        if steps.len() > MAX_STEPS {
            return Err(problem(&Place::new(source, 0..offset), "no path is so long"));
        }
        rest = rest.strip_prefix('.').ok_or_else(|| {
            let label = "expected `.`, `[index]` or `=value` here";
            problem(&next_character(source, offset, text), label)
        })?;
    }
}

/// `[12]` at the beginning of `rest`.
fn index(rest: &str) -> Option<(&str, &str)> {
    let (digits, after) = rest.strip_prefix('[')?.split_once(']')?;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some((digits, after))
}

/// The TOML value after the `=`, or else the text itself.
fn value(source: usize, offset: usize, text: &str) -> Result<Node, Problem> {
    let written = &text[offset..];
    match DeValue::parse(written) {
        Ok(value) => Ok(tree::node(source, offset, &value)),
        // What begins like TOML was meant as TOML.
        Err(error) if written.trim_start().starts_with(['"', '\'', '[', '{']) => {
            let span = error.span().unwrap_or(0..written.len());
            let at = Place::new(source, span.start + offset..span.end + offset);
            Err(problem(&at, error.message()))
        }
        Err(_) => Ok(Node {
            value: Value::Text(written.trim().to_owned()),
            at: Place::new(source, offset..text.len()),
        }),
    }
}

/// The element that `step` names.
fn element(elements: &[Node], step: &Step, walked: &str) -> Result<usize, Problem> {
    if let Ok(index) = step.name.parse::<usize>() {
        if index < elements.len() {
            return Ok(index);
        }
        let label = match elements.len() {
            1 => format!("`{walked}` has 1 element; its index is 0"),
            count => format!("`{walked}` has {count} elements; the first has index 0"),
        };
        return Err(problem(&step.at, &label));
    }
    let names: Vec<&str> = elements.iter().filter_map(name).collect();
    if let Some(index) = elements.iter().position(|node| name(node) == Some(&step.name)) {
        return Ok(index);
    }
    let mut wrong = problem(&step.at, &format!("no element of `{walked}` has this name or index"));
    wrong.help = match nearest(&step.name, names.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if names.is_empty() => None,
        None => Some(format!("`{walked}` has `{}`", names.join("`, `"))),
    };
    Err(wrong)
}

/// The `name` of an element that is a table with one.
fn name(node: &Node) -> Option<&str> {
    let Value::Table(table) = &node.value else { return None };
    match &table.entries.get("name")?.node.value {
        Value::Text(name) => Some(name),
        _ => None,
    }
}

fn next_character(source: usize, offset: usize, text: &str) -> Place {
    let length = text[offset..].chars().next().map_or(0, char::len_utf8);
    Place::new(source, offset..offset + length)
}

fn problem(at: &Place, label: &str) -> Problem {
    Problem {
        title: "cannot apply `--set`".to_owned(),
        at: Some(at.clone()),
        label: label.to_owned(),
        help: None,
    }
}
