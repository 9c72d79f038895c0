// Compiles src/*.sol into artifacts/*.json. See README.md.
import { createRequire } from "node:module";
import { readFileSync, readdirSync, writeFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// `solc` is looked up from the working directory, so that it can be installed anywhere.
const solc = createRequire(join(process.cwd(), "noop.js"))("solc");
const here = dirname(fileURLToPath(import.meta.url));
const files = readdirSync(join(here, "src")).filter((name) => name.endsWith(".sol")).sort();
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: Object.fromEntries(
        files.map((name) => [name, { content: readFileSync(join(here, "src", name), "utf8") }]),
      ),
      settings: {
        evmVersion: "cancun",
        optimizer: { enabled: true, runs: 1000 },
        // No hash of paths or comments in the code: the same source gives the same bytes.
        metadata: { bytecodeHash: "none", appendCBOR: false },
        outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
      },
    }),
  ),
);
const errors = (output.errors ?? []).filter((error) => error.severity === "error");
if (errors.length > 0) {
  for (const error of errors) console.error(error.formattedMessage);
  process.exit(1);
}
mkdirSync(join(here, "artifacts"), { recursive: true });
for (const file of files) {
  for (const [name, contract] of Object.entries(output.contracts[file])) {
    if (contract.evm.bytecode.object === "") continue; // an interface
    const artifact = {
      contractName: name,
      compiler: solc.version(),
      abi: contract.abi,
      bytecode: "0x" + contract.evm.bytecode.object,
      deployedBytecode: "0x" + contract.evm.deployedBytecode.object,
    };
    writeFileSync(join(here, "artifacts", `${name}.json`), JSON.stringify(artifact, null, 2) + "\n");
    if (name === "Outbox") {
      // A genesis needs this one without a parser of JSON.
      const code = Buffer.from(contract.evm.deployedBytecode.object, "hex");
      writeFileSync(join(here, "artifacts", "Outbox.runtime.bin"), code);
    }
    console.log(`${name}: ${contract.evm.deployedBytecode.object.length / 2} bytes`);
  }
}
