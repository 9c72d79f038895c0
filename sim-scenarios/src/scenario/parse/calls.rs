//! `kind = "call"`: a contract, what is sent to it, and the arguments.

use std::str::FromStr as _;

use alloy_primitives::{Address, B256, U256};
use cross_shard_msg::{Gas, Wei};

use super::super::load::{
    Argument, CallLoad, CallTemplate, Contract, Function, Parameter, SHIPPED_CONTRACTS,
};
use super::super::network::TRANSFER_GAS;
use super::super::problem::nearest;
use super::super::unit::read_wei;
use super::kind::{self, Wrong};
use super::loads::{Context, value};
use super::section::{Field, Section};
use super::tree::{Node, Value};

const ARGUMENT: &str =
    "\"account\", \"sender\", a number, a boolean, an amount, or 20 or 32 bytes as \"0x…\"";

pub(super) fn read(context: &Context<'_>, section: &Section<'_>) -> Option<CallLoad> {
    let pace = context.pace(section);
    let example = "contract = \"erc20\"";
    let contract = section.required("contract", example, |node| contract(context, node));
    let most = context.known.accounts.count.as_ref().map_or(1_024, |count| count.value.min(1_024));
    let instances = section.with_default("instances", 1, |node| {
        let wrong = |wrong: Wrong| wrong.help("each is deployed by another account");
        kind::small(1..=most)(node).map_err(wrong)
    });
    let constructor = section.with_default("constructor", Vec::new(), arguments);
    let setup = templates(context, section, "setup");
    let mix = if section.has("mix") {
        templates(context, section, "mix")
    } else {
        // One kind of call needs no array: its keys may stand in the load itself.
        template(context, section, false).map(|template| vec![template])
    };
    if section.has("mix") {
        for key in ["function", "args", "value", "gas"] {
            if let Some(at) = section.key_at(key) {
                let title = format!("`{}` does not go with `mix`", section.path_of(key));
                context.notes.wrong(at, title, "expected inside one of the calls of `mix`");
            }
        }
    }
    let cross_shard = context.cross_shard(section);
    Some(CallLoad {
        rate: pace.rate?.value,
        arrivals: pace.arrivals?,
        curve: pace.curve?,
        contract: contract?.value,
        instances: instances?.value,
        constructor: constructor?.value,
        setup: setup?,
        mix: mix?,
        cross_shard: cross_shard?,
    })
}

fn templates(
    context: &Context<'_>,
    load: &Section<'_>,
    key: &'static str,
) -> Option<Vec<CallTemplate>> {
    let sections = load.sections(key)?;
    if key == "mix" && sections.is_empty() {
        load.missing("mix", "function = \"transfer(address,uint256)\"");
    }
    let mut templates = Some(Vec::new());
    for section in sections {
        let template = template(context, &section, key == "mix");
        section.finish();
        templates = templates.zip(template).map(|(mut templates, template)| {
            templates.push(template);
            templates
        });
    }
    templates
}

fn template(context: &Context<'_>, section: &Section<'_>, weighted: bool) -> Option<CallTemplate> {
    let example = "function = \"transfer(address,uint256)\"";
    let function = section.required("function", example, function);
    let arguments = section.with_default("args", Vec::new(), arguments);
    let value = section.with_default("value", Wei::ZERO, value());
    let most = context.known.network.gas_limit.as_ref().map_or(u64::MAX, |limit| limit.value.0);
    let gas = section.with_default("gas", 100_000.min(most), kind::integer(TRANSFER_GAS.0..=most));
    let weight = if weighted {
        section.with_default("weight", 1, kind::small(1..=1_000_000)).map(|weight| weight.value)
    } else {
        Some(1)
    };
    if let (Some(function), Some(arguments)) = (&function, &arguments) {
        check_arguments(context, function, arguments);
    }
    if let (Some(value), Some(gas)) = (&value, &gas) {
        context.funds(value, Gas(gas.value));
    }
    Some(CallTemplate {
        function: function?.value,
        arguments: arguments?.value,
        value: value?.value,
        gas: Gas(gas?.value),
        weight: weight?,
    })
}

fn check_arguments(
    context: &Context<'_>,
    function: &Field<Function>,
    found: &Field<Vec<Argument>>,
) {
    let parameters = &function.value.parameters;
    if parameters.len() != found.value.len() {
        let signature = function.value.signature();
        context.notes.wrong(
            found.blame(function),
            format!("`{}` does not fit `{signature}`", found.path),
            format!("expected {} arguments, found {}", parameters.len(), found.value.len()),
        );
        return;
    }
    for (index, (parameter, argument)) in parameters.iter().zip(&found.value).enumerate() {
        if !fits(*parameter, *argument) {
            context.notes.wrong(
                &found.at,
                format!("`{}[{index}]` does not fit `{}`", found.path, function.value.signature()),
                format!("expected {}", wanted(*parameter)),
            );
        }
    }
}

fn fits(parameter: Parameter, argument: Argument) -> bool {
    match (parameter, argument) {
        (Parameter::Address, Argument::Account | Argument::Sender | Argument::Address(_))
        | (Parameter::Bool, Argument::Bool(_))
        | (Parameter::Bytes32, Argument::Word(_)) => true,
        (Parameter::Uint(bits), Argument::Number(number)) => number.bit_len() <= usize::from(bits),
        _ => false,
    }
}

fn wanted(parameter: Parameter) -> String {
    match parameter {
        Parameter::Address => "\"account\", \"sender\" or 20 bytes as \"0x…\"".to_owned(),
        Parameter::Bool => "`true` or `false`".to_owned(),
        Parameter::Uint(bits) => format!("a number of at most {bits} bits"),
        Parameter::Bytes32 => "32 bytes as \"0x…\"".to_owned(),
    }
}

fn contract(context: &Context<'_>, node: &Node) -> Result<Contract, Wrong> {
    let written = kind::text(node)?;
    if let Some(name) = SHIPPED_CONTRACTS.iter().find(|name| **name == written) {
        return Ok(Contract::Shipped(name));
    }
    let shipped = SHIPPED_CONTRACTS.join("`, `");
    if written.contains(['/', '.', ':']) {
        return context.file(node, false).map(Contract::File);
    }
    Err(match nearest(&written, SHIPPED_CONTRACTS.iter().copied()) {
        Some(near) => Wrong::value(format!("did you mean `{near}`?")),
        None => Wrong::value("expected a contract that ships or the path of an artifact")
            .help(format!("these ship: `{shipped}`; a path has a `/` or a `.`")),
    })
}

/// `transfer(address,uint256)`.
fn function(node: &Node) -> Result<Function, Wrong> {
    let expected = "a function such as \"transfer(address,uint256)\"";
    let text = kind::string(node, expected)?;
    let wrong = || Wrong::value(format!("expected {expected}"));
    let (name, rest) = text.split_once('(').ok_or_else(wrong)?;
    let list = rest.strip_suffix(')').ok_or_else(wrong)?;
    let mut letters = name.chars();
    let first = letters.next().ok_or_else(wrong)?;
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    if first.is_ascii_digit() || !letter(first) || !letters.all(letter) {
        return Err(wrong());
    }
    let types = list.split(',').filter(|_| !list.is_empty());
    let parameters = types.map(|text| parameter(text.trim())).collect::<Result<_, _>>()?;
    Ok(Function { name: name.to_owned(), parameters })
}

fn parameter(text: &str) -> Result<Parameter, Wrong> {
    match text {
        "address" => Ok(Parameter::Address),
        "bool" => Ok(Parameter::Bool),
        "uint" => Ok(Parameter::Uint(256)),
        "bytes32" => Ok(Parameter::Bytes32),
        _ => text
            .strip_prefix("uint")
            .filter(|bits| !bits.starts_with(['0', '+']))
            .and_then(|bits| bits.parse::<u16>().ok())
            .filter(|bits| *bits <= 256 && bits.is_multiple_of(8))
            .map(Parameter::Uint)
            .ok_or_else(|| {
                Wrong::value(format!("`{text}` is not a type that a load can generate"))
                    .help("known types: address, bool, uint8 to uint256, bytes32")
            }),
    }
}

fn arguments(node: &Node) -> Result<Vec<Argument>, Wrong> {
    match &node.value {
        Value::Array(elements) => elements.iter().map(argument).collect(),
        _ => Err(Wrong::kind("an array of arguments", node)),
    }
}

fn argument(node: &Node) -> Result<Argument, Wrong> {
    match &node.value {
        Value::Boolean(value) => Ok(Argument::Bool(*value)),
        Value::Integer(Some(number)) => u128::try_from(*number)
            .map(|number| Argument::Number(U256::from(number)))
            .map_err(|_| Wrong::value("expected a number that is not negative")),
        Value::Text(text) => word(text)
            .ok_or_else(|| Wrong::value(format!("\"{}\" is none of {ARGUMENT}", clip(text)))),
        _ => Err(Wrong::kind(ARGUMENT, node)),
    }
}

fn word(text: &str) -> Option<Argument> {
    match text {
        "account" => return Some(Argument::Account),
        "sender" => return Some(Argument::Sender),
        _ => {}
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return match hex.len() {
            40 => Address::from_str(text).ok().map(Argument::Address),
            64 => B256::from_str(text).ok().map(Argument::Word),
            _ => None,
        };
    }
    let number = || text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok());
    read_wei(text).ok().or_else(|| number().flatten()).map(Argument::Number)
}

/// The beginning of a long string, for a message.
fn clip(text: &str) -> String {
    if text.chars().count() <= 24 {
        return text.to_owned();
    }
    let start: String = text.chars().take(24).collect();
    format!("{start}…")
}
