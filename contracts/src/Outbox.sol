// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// A contract's way out of its shard. It lives at one address on every shard; the shard reads the
/// `Sent` events of a block, takes what they carry out of this contract's balance and releases one
/// `Call` receipt for each.
///
/// Of `msg.value`, `gas * gasPrice` pays for the execution at the destination and the rest arrives
/// as the value of the call. Unused gas, and the value of a call that failed, go home to `refundTo`.
contract Outbox {
    /// Longest input that a receipt may carry, in bytes.
    uint256 public constant MAX_INPUT = 131_072;

    /// How many receipts have been sent from this shard. The first one has the id 1.
    uint256 public sent;

    event Sent(
        uint256 indexed id,
        address indexed from,
        address indexed to,
        uint256 value,
        uint64 gas,
        uint128 gasPrice,
        address refundTo,
        bytes input
    );

    /// `msg.value` does not pay for `gas * gasPrice`.
    error GasNotPaid(uint256 paid, uint256 needed);
    /// No block could hold a call with so much gas.
    error GasAboveBlockLimit(uint64 gas, uint256 limit);
    error InputTooLong(uint256 length);

    /// Sends a call of `to` with `input`, wherever `to` lives. Returns an id that is unique on this
    /// shard.
    function send(address to, uint64 gas, uint128 gasPrice, address refundTo, bytes calldata input)
        external
        payable
        returns (uint256 id)
    {
        uint256 fee = uint256(gas) * uint256(gasPrice);
        if (msg.value < fee) revert GasNotPaid(msg.value, fee);
        if (gas > block.gaslimit) revert GasAboveBlockLimit(gas, block.gaslimit);
        if (input.length > MAX_INPUT) revert InputTooLong(input.length);
        id = ++sent;
        emit Sent(id, msg.sender, to, msg.value - fee, gas, gasPrice, refundTo, input);
    }
}
