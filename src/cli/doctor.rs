//! `doctor`: what runs depend on, and `clean`: removing what they left.

use std::time::Duration;

use serde_json::json;

use super::{FAILED, output};
use crate::database::census;
use crate::error::Result;
use crate::fixtures;
use crate::server::{self, Running, Sign, State};

/// Says how everything stands, and how to mend it; `2` where no run will work.
pub(super) async fn run(as_json: bool) -> Result<u8> {
    let version = format!(
        "watertight {}, templates of format {}",
        env!("CARGO_PKG_VERSION"),
        fixtures::FORMAT
    );
    let mut signs = vec![Sign::well("version", version)];
    signs.extend(server::examine().await?);
    signs.extend(servers().await);
    let broken = signs.iter().any(|sign| sign.state == State::Broken);
    let text = if as_json {
        let verdict = if broken { "broken" } else { "ready" };
        format!(
            "{:#}\n",
            json!({ "format": 1, "verdict": verdict, "signs": signs })
        )
    } else {
        output::disarmed(&signs.iter().map(line).collect::<String>())
    };
    output::print(&text)?;
    Ok(if broken { FAILED } else { 0 })
}

/// Removes what earlier runs left, or only says what that is.
pub(super) async fn clean(dry: bool) -> Result<u8> {
    let lines = if dry {
        server::cleanable().await?
    } else {
        server::clean().await?
    };
    if lines.is_empty() {
        output::print("nothing was left by earlier runs\n")?;
    }
    let would = if dry { "would remove " } else { "" };
    for line in lines {
        output::print(&format!("{would}{}\n", output::disarmed(&line)))?;
    }
    Ok(0)
}

fn line(sign: &Sign) -> String {
    let state = match sign.state {
        State::Well => "ok",
        State::Note => "note",
        State::Broken => "BROKEN",
    };
    let mend = sign.mend.as_ref();
    let mend = mend.map_or_else(String::new, |mend| format!("\n{:20}→ {mend}", ""));
    format!("{state:<7}{:<12} {}{mend}\n", sign.subject, sign.says)
}

/// The servers that tests share.
async fn servers() -> Vec<Sign> {
    let running = match server::running().await {
        Ok(running) if running.is_empty() => {
            return vec![Sign::well("servers", "none is shared by tests just now")];
        }
        Ok(running) => running,
        Err(error) => return vec![Sign::note("servers", error.to_string(), None)],
    };
    let mut signs = Vec::new();
    for one in running {
        signs.push(shared(one).await);
    }
    signs
}

async fn shared(running: Running) -> Sign {
    let Running {
        server,
        mut session,
        users,
        age,
    } = running;
    let says = format!(
        "{}, up {}, used by {users} processes",
        server.chosen(),
        lasted(age)
    );
    match census(&mut session).await {
        Ok(found) => {
            let says = format!(
                "{says}; databases: {} templates, {} ready, {} used, {} kept, {} left",
                found.templates, found.ready, found.used, found.kept, found.left
            );
            if found.left == 0 {
                return Sign::well("servers", says);
            }
            let mend = "the next test removes what is left, or the server's end".to_owned();
            Sign::note("servers", says, mend)
        }
        Err(error) => Sign::note("servers", format!("{says}; {error}"), None),
    }
}

fn lasted(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
