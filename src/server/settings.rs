//! How servers of our own are set: nothing survives them, so nothing is made to last.

/// Settings, right for every version that is served, with and without a container.
const SETTINGS: [(&str, &str); 20] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    // Also the most that the log of changes takes of the memory that the data is in.
    ("max_wal_size", "512MB"),
    ("checkpoint_timeout", "1h"),
    ("autovacuum", "off"),
    ("jit", "off"),
    ("max_logical_replication_workers", "0"),
    ("max_prepared_transactions", "0"),
    ("max_connections", "300"),
    // Templates with many tables are dropped and cloned in single transactions.
    ("max_locks_per_transaction", "256"),
    ("shared_buffers", "128MB"),
    ("huge_pages", "off"),
    ("bgwriter_lru_maxpages", "0"),
    ("lc_messages", "C"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("logging_collector", "off"),
];

/// All settings of a major version. From 18 on reading needs no processes of its own.
fn all(major: u32) -> impl Iterator<Item = (&'static str, &'static str)> {
    SETTINGS
        .into_iter()
        .chain((major >= 18).then_some(("io_method", "sync")))
}

/// What a server needs besides that may have to write down statements: a log in one file that programs can read, in a
/// folder that the server can write to.
pub(super) fn recording(folder: &str) -> [(&'static str, String); 5] {
    [
        ("logging_collector", "on".to_owned()),
        ("log_destination", "jsonlog".to_owned()),
        ("log_directory", folder.to_owned()),
        ("log_rotation_age", "0".to_owned()),
        ("log_rotation_size", "0".to_owned()),
    ]
}

/// As lines of a configuration file.
pub(super) fn lines(major: u32) -> String {
    let lines: Vec<String> = all(major)
        .map(|(name, value)| format!("{name} = '{value}'\n"))
        .collect();
    lines.concat()
}

/// As arguments of the server.
#[cfg_attr(
    not(feature = "docker"),
    expect(dead_code, reason = "only containers are given arguments")
)]
pub(super) fn arguments(major: u32) -> Vec<String> {
    all(major)
        .flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")])
        .collect()
}
