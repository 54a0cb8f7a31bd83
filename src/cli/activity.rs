//! `activity`: who is connected, for which organisation as far as that can be known, and what they wait for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde_json::json;

use super::output;
use crate::error::Result;
use crate::operations::{Activity, Session, activity};

#[derive(Args, Debug)]
pub(super) struct Options {
    /// The URL of the server, postgres://…; a password may come from PGPASSWORD or .pgpass
    #[arg(long, value_name = "URL")]
    server: String,
    /// How it looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A line for each role and organisation, then the sessions that wait
    Text,
    /// `{ "format": 1, "sessions": [ … ] }`
    Json,
}

pub(super) async fn run(options: Options) -> Result<u8> {
    let (server, database) = crate::server::reach(&options.server).await?;
    // Of the whole server: whichever database could be reached does.
    let database = if server.maintenance_database() == database {
        database
    } else {
        server.maintenance_database().to_owned()
    };
    let seen = activity(&server, &database).await?;
    let text = match options.format {
        Format::Text => told(&seen),
        Format::Json => format!("{:#}\n", value(&seen)),
    };
    output::print(&output::disarmed(&text))?;
    Ok(0)
}

fn value(seen: &Activity) -> serde_json::Value {
    let sessions = seen.sessions.iter().map(|one| {
        json!({
            "pid": one.pid, "role": one.role, "database": one.database, "organisation": one.tenant, "state": one.state,
            "wait": one.wait, "seconds_in_state": one.since, "transaction_seconds": one.transaction,
            "blocked_by": one.blocked_by,
        })
    });
    json!({
        "format": 1,
        "max_connections": seen.most,
        "hidden": seen.hidden,
        "sessions": sessions.collect::<Vec<_>>(),
    })
}

/// How many sessions of a role and organisation are in which state.
#[derive(Default)]
struct Group {
    all: usize,
    active: usize,
    idle: usize,
    open: usize,
    waiting: usize,
    oldest: f64,
}

impl Group {
    fn add(&mut self, session: &Session) {
        self.all += 1;
        self.waiting += usize::from(waits(session));
        match session.state.as_str() {
            "active" => self.active += 1,
            "idle" => self.idle += 1,
            "" => {}
            _ => self.open += 1,
        }
        self.oldest = self.oldest.max(session.transaction.unwrap_or(0.0));
    }
}

/// For a lock, a page, a disk: whatever is not its client.
fn waits(session: &Session) -> bool {
    session.wait.is_some() && session.state == "active" || !session.blocked_by.is_empty()
}

fn told(seen: &Activity) -> String {
    let mut groups: BTreeMap<(&str, &str), Group> = BTreeMap::new();
    for session in &seen.sessions {
        let tenant = session.tenant.as_deref().unwrap_or("(not said)");
        groups
            .entry((&session.role, tenant))
            .or_default()
            .add(session);
    }
    let heads = [
        "role",
        "organisation",
        "sessions",
        "active",
        "idle",
        "in transaction",
        "waiting",
        "oldest",
    ];
    let mut lines = vec![heads.map(str::to_owned)];
    lines.extend(groups.iter().map(|((role, tenant), group)| {
        let counts = [
            group.all,
            group.active,
            group.idle,
            group.open,
            group.waiting,
        ];
        let [all, active, idle, open, waiting] = counts.map(|count| count.to_string());
        let oldest = format!("{:.1} s", group.oldest);
        let (role, tenant) = ((*role).to_owned(), (*tenant).to_owned());
        [role, tenant, all, active, idle, open, waiting, oldest]
    }));
    let mut text = aligned(&lines);
    let waiting: Vec<&Session> = seen.sessions.iter().filter(|one| waits(one)).collect();
    if !waiting.is_empty() {
        text.push('\n');
    }
    for one in waiting {
        let blocked: Vec<String> = one.blocked_by.iter().map(ToString::to_string).collect();
        let _ = writeln!(
            text,
            "waits    {} of {} for {:.1} s: {}{}",
            one.pid,
            one.role,
            one.since.unwrap_or(0.0),
            one.wait.as_deref().unwrap_or("another session"),
            if blocked.is_empty() {
                String::new()
            } else {
                format!(", held by {}", blocked.join(", "))
            }
        );
    }
    let _ = writeln!(
        text,
        "\n{} of {} connections. The organisation is what a session says in its application_name, as \
         `organisation=<id>`:\nPostgres shows nobody the settings of another session.",
        seen.sessions.len() + 1,
        seen.most
    );
    if seen.hidden > 0 {
        let _ = writeln!(
            text,
            "{} of them are other roles', whose state this role may not see: GRANT pg_read_all_stats TO it.",
            seen.hidden
        );
    }
    text
}

/// The first two columns to the left, numbers to the right.
fn aligned(lines: &[[String; 8]]) -> String {
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().enumerate().map(|(at, cell)| {
            let width = width(at).unwrap_or_default();
            if at < 2 {
                format!("{cell:width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}
