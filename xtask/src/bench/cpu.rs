//! Processor time, which other work on the machine does not change: of this process, and of the server's side of a session.

use sqlx::PgConnection;

/// Ticks of a second, as Linux tells them to programs whatever its own clock is.
const TICKS: f64 = 100.0;

/// Seconds of both sides of a session; `NaN` where the system does not say them, as of a server in a container.
#[derive(Clone, Copy)]
pub(super) struct Cpu {
    pub(super) client: f64,
    pub(super) server: f64,
}

/// A session whose processor time is counted from here on.
pub(super) struct Meter {
    server: Option<i32>,
    before: Cpu,
}

impl Meter {
    pub(super) async fn start(connection: &mut PgConnection) -> Self {
        let pid = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(connection)
            .await
            .ok()
            .filter(|pid| is_postgres(*pid));
        Self {
            server: pid,
            before: now(pid),
        }
    }

    pub(super) fn read(&self) -> Cpu {
        let now = now(self.server);
        Cpu {
            client: now.client - self.before.client,
            server: now.server - self.before.server,
        }
    }
}

/// In a container a process has another number, which here may be anybody's.
fn is_postgres(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres")
}

fn now(server: Option<i32>) -> Cpu {
    Cpu {
        client: seconds("self").unwrap_or(f64::NAN),
        server: server
            .and_then(|pid| seconds(&pid.to_string()))
            .unwrap_or(f64::NAN),
    }
}

/// Time in the program and in the system for it, of a process.
fn seconds(process: &str) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name may hold anything; what comes behind it is counted from the state, the third field.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11).map(str::parse::<f64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some((user + system) / TICKS)
}
