//! Values of a matrix as people and as files write them.

use super::tree::{Node, Value};

/// For tables: strings without quotes; a table by its `name` and the rest in parentheses; a command by
/// its last file.
pub(super) fn label(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => text.clone(),
        Value::Array(elements) => elements.iter().map(label).collect::<Vec<_>>().join(" "),
        Value::Table(table) => {
            let entries = table.entries.iter().filter(|(key, _)| *key != "name");
            let others: Vec<String> =
                entries.map(|(key, entry)| format!("{key}={}", label(&entry.node))).collect();
            if let Some(Value::Array(command)) =
                table.entries.get("command").map(|entry| &entry.node.value)
                && let Some(file) = command.iter().rev().find_map(file)
            {
                return file;
            }
            match (table.entries.get("name"), others.as_slice()) {
                (Some(name), []) => label(&name.node),
                (Some(name), _) => format!("{}({})", label(&name.node), others.join(", ")),
                (None, _) => others.join(", "),
            }
        }
        _ => written(node),
    }
}

/// As TOML.
pub(super) fn written(node: &Node) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    match &node.value {
        Value::Text(text) => quoted(text),
        Value::Integer(Some(number)) => number.to_string(),
        Value::Integer(None) | Value::Datetime => quoted(node.value.described()),
        Value::Float(text) => text.clone(),
        Value::Boolean(value) => value.to_string(),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(written).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::Table(table) => {
            let plain = |key: &str| {
                !key.is_empty()
                    && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
            };
            let entries = table.entries.iter().map(|(key, entry)| {
                let key = if plain(key) { key.clone() } else { quoted(key) };
                format!("{key} = {}", written(&entry.node))
            });
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The last step of a path.
fn file(node: &Node) -> Option<String> {
    let Value::Text(text) = &node.value else { return None };
    Some(std::path::Path::new(text).file_name()?.to_string_lossy().into_owned())
}
