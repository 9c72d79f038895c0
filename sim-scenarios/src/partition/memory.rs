//! The memory of this process, as Linux counts it.

/// Bytes in memory now. `None` where the system does not tell.
pub(crate) fn resident() -> Option<u64> {
    field("VmRSS:")
}

/// The most bytes in memory since [`forget_peak`], or since the start.
pub(crate) fn peak() -> Option<u64> {
    field("VmHWM:")
}

/// Lets the peak begin anew. `false` where the system does not do that.
pub(crate) fn forget_peak() -> bool {
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

fn field(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}
