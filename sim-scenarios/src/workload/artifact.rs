//! Contract artifacts: the JSON that Solidity tools write.

use alloy_primitives::{Bytes, hex};
use serde_json::Value;

/// What a load needs to know of a compiled contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Init code without the constructor's arguments.
    pub init_code: Bytes,
    /// Types of the constructor's parameters.
    pub constructor: Vec<String>,
    /// Canonical signatures of the functions: `transfer(address,uint256)`.
    pub functions: Vec<String>,
}

impl Artifact {
    /// Reads an artifact of Hardhat or solc-js (`bytecode` is a string), Foundry
    /// (`bytecode.object`) or solc's standard JSON (`evm.bytecode.object`).
    ///
    /// # Errors
    /// With what is missing or wrong, as one line.
    pub fn read(json: &str) -> Result<Self, String> {
        let artifact: Value =
            serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
        let code = [
            &artifact["bytecode"],
            &artifact["bytecode"]["object"],
            &artifact["evm"]["bytecode"]["object"],
        ];
        let code = code
            .into_iter()
            .find_map(Value::as_str)
            .ok_or("has neither `bytecode` nor `evm.bytecode.object`")?;
        if code.contains("__") {
            return Err("its bytecode has libraries that are not linked".to_owned());
        }
        let init_code: Bytes =
            hex::decode(code).map_err(|error| format!("its bytecode is not hex: {error}"))?.into();
        if init_code.is_empty() {
            return Err("its bytecode is empty: an interface or an abstract contract".to_owned());
        }
        let abi = artifact["abi"].as_array().ok_or("has no `abi`")?;
        let of_type = |kind: &'static str| abi.iter().filter(move |entry| entry["type"] == kind);
        let functions = of_type("function").map(|entry| {
            let name = entry["name"].as_str().unwrap_or_default();
            format!("{name}({})", types(&entry["inputs"]).join(","))
        });
        Ok(Self {
            init_code,
            constructor: of_type("constructor").flat_map(|entry| types(&entry["inputs"])).collect(),
            functions: functions.collect(),
        })
    }
}

fn types(inputs: &Value) -> Vec<String> {
    let inputs = inputs.as_array().map(Vec::as_slice).unwrap_or_default();
    inputs.iter().map(canonical).collect()
}

/// The canonical type of a parameter: a tuple is its components in parentheses.
fn canonical(input: &Value) -> String {
    let kind = input["type"].as_str().unwrap_or_default();
    match kind.strip_prefix("tuple") {
        Some(suffix) => format!("({}){suffix}", types(&input["components"]).join(",")),
        None => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABI: &str = r#""abi": [
        {"type": "constructor", "inputs": [{"type": "uint256"}, {"type": "address"}]},
        {"type": "function", "name": "f",
         "inputs": [{"type": "tuple[]", "components": [{"type": "bool"}, {"type": "bytes32"}]}]},
        {"type": "error", "name": "E", "inputs": []},
        {"type": "function", "name": "g", "inputs": []}
    ]"#;

    #[test]
    fn every_tools_layout_is_read() {
        for code in [
            r#""bytecode": "0x6001""#,
            r#""bytecode": {"object": "0x6001"}"#,
            r#""evm": {"bytecode": {"object": "6001"}}"#,
        ] {
            let artifact = Artifact::read(&format!("{{{ABI}, {code}}}")).unwrap();
            assert_eq!(artifact.init_code.as_ref(), [0x60, 0x01]);
            assert_eq!(artifact.constructor, ["uint256", "address"]);
            assert_eq!(artifact.functions, ["f((bool,bytes32)[])", "g()"]);
        }
    }

    #[test]
    fn what_cannot_be_deployed_is_refused() {
        for (code, problem) in [
            (r#""bytecode": "0x""#, "empty"),
            (r#""bytecode": "0x60__$3f$__""#, "not linked"),
            (r#""bytecode": "0x6""#, "not hex"),
            (r#""code": "0x60""#, "neither"),
        ] {
            let error = Artifact::read(&format!("{{{ABI}, {code}}}")).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
        assert!(Artifact::read("{").unwrap_err().contains("not JSON"));
        assert!(Artifact::read(r#"{"bytecode": "0x60"}"#).unwrap_err().contains("abi"));
    }
}
