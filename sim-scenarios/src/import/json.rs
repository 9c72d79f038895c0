//! The members of a JSON file's one object, each with its place, so that what is wrong with one can be
//! shown where it stands.

use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use serde_json::Value;

use crate::scenario::{MAX_FILE_BYTES, Place, Problem, Rejected, Source};

/// A file that was read.
#[derive(Debug)]
pub struct JsonFile {
    source: Source,
    /// In the order of the file; a name may come twice.
    pub members: Vec<Member>,
}

/// A name and its value.
#[derive(Clone, Debug)]
pub struct Member {
    /// The name.
    pub name: String,
    /// Its value.
    pub value: Value,
    name_at: Range<usize>,
    value_at: Range<usize>,
}

impl JsonFile {
    /// Reads a file of at most [`MAX_FILE_BYTES`].
    ///
    /// # Errors
    /// It cannot be read, or is no JSON object.
    pub fn read(path: &Path) -> Result<Self, Rejected> {
        let shown = path.display();
        let reject = |title: String| Err(Rejected::file(path.to_owned(), title, None));
        let mut text = String::new();
        let read = std::fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text));
        match read {
            Err(error) => reject(format!("cannot read {shown}: {error}")),
            Ok(_) if text.len() as u64 > MAX_FILE_BYTES => {
                reject(format!("{shown} is longer than {} MiB", MAX_FILE_BYTES >> 20))
            }
            Ok(_) => Self::parse(shown.to_string(), text),
        }
    }

    fn parse(name: String, text: String) -> Result<Self, Rejected> {
        let source = Source { name, text };
        let value = serde_json::from_str::<Value>(&source.text);
        let (title, at, label) = match value {
            Ok(Value::Object(_)) => {
                let members = members(&source.text);
                return Ok(Self { source, members });
            }
            Ok(_) => {
                let whole = 0..source.text.len();
                ("no JSON object".to_owned(), whole, "expected { \"KEY\": VALUE, … }".to_owned())
            }
            Err(error) => {
                let lines = source.text.split_inclusive('\n').take(error.line().saturating_sub(1));
                let start = lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
                // The place is told in words by the caret already.
                let what = error.to_string();
                let what = what.split(" at line ").next().unwrap_or_default();
                ("not JSON".to_owned(), start..start + 1, what.to_owned())
            }
        };
        let at = Some(Place::new(0, at));
        Err(Rejected::new(vec![source], vec![Problem { title, at, label, help: None }]))
    }

    /// Refuses the file for these problems, which are not none.
    pub(super) fn rejected(&self, problems: Vec<Problem>) -> Rejected {
        Rejected::new(vec![self.source.clone()], problems)
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// `FILE:LINE` of a member.
    pub fn line_of(&self, member: &Member) -> String {
        let line = self.source.text[..member.name_at.start].matches('\n').count() + 1;
        format!("{}:{line}", self.source.name)
    }
}

impl Member {
    /// Something is wrong with the value.
    pub(super) fn wrong(&self, title: String, label: String) -> Problem {
        let at = Some(Place::new(0, self.value_at.clone()));
        Problem { title, at, label, help: None }
    }

    /// Something is wrong with the name.
    pub(super) fn misnamed(&self, title: String, label: String) -> Problem {
        let at = Some(Place::new(0, self.name_at.clone()));
        Problem { title, at, label, help: None }
    }
}

/// The members of the object in `text`, which is well-formed.
fn members(text: &str) -> Vec<Member> {
    let mut members = Vec::new();
    let mut rest = text.find('{').map_or(text.len(), |at| at + 1);
    while let Some(start) = text[rest..].find('"').map(|at| rest + at) {
        let name_at = start..string_end(text, start);
        let colon = text[name_at.end..].find(':').map_or(text.len(), |at| name_at.end + at + 1);
        let start = text.len() - text[colon..].trim_start().len();
        let value_at = start..value_end(text, start);
        rest = value_at.end;
        let name = serde_json::from_str(&text[name_at.clone()]);
        let value = serde_json::from_str(&text[value_at.clone()]);
        if let (Ok(name), Ok(value)) = (name, value) {
            members.push(Member { name, value, name_at, value_at });
        }
    }
    members
}

/// The end of the string that begins at `start`.
fn string_end(text: &str, start: usize) -> usize {
    let mut escaped = true;
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The end of the value that begins at `start`.
fn value_end(text: &str, start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => break,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    start + text[start..at].trim_end().len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_with_their_places() {
        let text = " {\n \"a\" : -1 ,\"b\\\"é\":[1,{\"x\":\"]\"} ], \"c\":\"}\\\\\",\n\"d\":{}, \"e\":null\n}";
        let file = JsonFile::parse("x.json".to_owned(), text.to_owned()).unwrap();
        let found: Vec<(&str, &Value, &str)> = file
            .members
            .iter()
            .map(|member| (member.name.as_str(), &member.value, &text[member.value_at.clone()]))
            .collect();
        let nested = json!([1, {"x": "]"}]);
        assert_eq!(
            found,
            [
                ("a", &json!(-1), "-1"),
                ("b\"é", &nested, "[1,{\"x\":\"]\"} ]"),
                ("c", &json!("}\\"), "\"}\\\\\""),
                ("d", &json!({}), "{}"),
                ("e", &Value::Null, "null"),
            ]
        );
        assert_eq!(file.line_of(&file.members[3]), "x.json:3");
        assert!(JsonFile::parse(String::new(), "{ }".to_owned()).unwrap().members.is_empty());
    }

    #[test]
    fn what_is_no_object_is_shown() {
        for (text, expected) in [
            ("[1]", "no JSON object"),
            ("{\"a\": 1,\n \"b\" 2}", "expected `:`"),
            ("", "EOF while parsing"),
            ("{\"a\": 1", "EOF while parsing an object"),
        ] {
            let error = JsonFile::parse("x.json".to_owned(), text.to_owned()).unwrap_err();
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
        let error = JsonFile::parse("x.json".to_owned(), "{\"a\": 1,\n \"b\" 2}".to_owned());
        assert!(error.unwrap_err().to_string().contains("x.json:2:6"));
    }
}
