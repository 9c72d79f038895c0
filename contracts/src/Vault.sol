// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

interface IOutbox {
    function send(address to, uint64 gas, uint128 gasPrice, address refundTo, bytes calldata input)
        external
        payable
        returns (uint256 id);
}

/// Does on request what tests of a shard need from a contract: count, hold value, fail, call
/// someone, send across shards, create a contract, destroy itself.
contract Vault {
    uint256 public count;
    mapping(address => uint256) public deposits;
    mapping(uint256 => uint256) public slots;

    event Counted(address indexed by, uint256 count);
    event Deposited(address indexed from, uint256 value);

    error Refused(uint256 code);

    receive() external payable {
        deposits[msg.sender] += msg.value;
        emit Deposited(msg.sender, msg.value);
    }

    function deposit() external payable {
        deposits[msg.sender] += msg.value;
        emit Deposited(msg.sender, msg.value);
    }

    function increment() external returns (uint256) {
        count += 1;
        emit Counted(msg.sender, count);
        return count;
    }

    function store(uint256 slot, uint256 value) external payable {
        slots[slot] = value;
    }

    /// Changes state, then reverts with `code`.
    function fail(uint256 code) external payable {
        count += 1;
        revert Refused(code);
    }

    /// Uses up all gas.
    function burnGas() external payable {
        while (true) {
            count += 1;
        }
    }

    function balanceAt(address account) external view returns (uint256) {
        return account.balance;
    }

    /// Passes value and input on to `target`, synchronously; fails as it fails.
    function forward(address target, bytes calldata input) external payable returns (bytes memory) {
        (bool ok, bytes memory output) = target.call{value: msg.value}(input);
        if (!ok) {
            assembly {
                revert(add(output, 32), mload(output))
            }
        }
        return output;
    }

    /// Passes value and input on to `target` asynchronously, through `outbox`.
    function sendOn(
        address outbox,
        address target,
        uint64 gas,
        uint128 gasPrice,
        bytes calldata input
    ) external payable returns (uint256) {
        return IOutbox(outbox).send{value: msg.value}(target, gas, gasPrice, address(this), input);
    }

    function create(bytes calldata code) external payable returns (address made) {
        bytes memory copy = code;
        uint256 value = msg.value;
        assembly {
            made := create(value, add(copy, 32), mload(copy))
        }
        if (made == address(0)) revert Refused(1);
    }

    function create2(bytes calldata code, bytes32 salt) external payable returns (address made) {
        bytes memory copy = code;
        uint256 value = msg.value;
        assembly {
            made := create2(value, add(copy, 32), mload(copy), salt)
        }
        if (made == address(0)) revert Refused(2);
    }

    function destroy(address payable heir) external payable {
        selfdestruct(heir);
    }
}
