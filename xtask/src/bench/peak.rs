//! The most memory that this process has had, where the system says it.

/// Forgets the peak so far, so that the next one is of what comes.
pub(super) fn forget() {
    // Linux alone has it; elsewhere the figure is left out.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// In MiB.
pub(super) fn mebibytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes / 1024.0)
}
