//! Processor time, which other work on the machine does not change: of this process, and of the server's side of sessions.

use sqlx::PgConnection;

/// Ticks of a second, as Linux tells them to programs whatever its own clock is.
const TICKS: f64 = 100.0;

/// Seconds of both sides of sessions; `NaN` where the system does not say them, as of a server in a container.
#[derive(Clone, Copy)]
pub(super) struct Cpu {
    pub(super) client: f64,
    pub(super) server: f64,
}

/// Sessions whose processor time is counted from here on.
pub(super) struct Meter {
    server: Option<Vec<i32>>,
    before: Cpu,
}

impl Meter {
    pub(super) async fn start(connections: &mut [PgConnection]) -> Self {
        let mut server = Some(Vec::new());
        for connection in connections {
            let pid: Option<i32> = sqlx::query_scalar("SELECT pg_backend_pid()")
                .fetch_one(connection)
                .await
                .ok()
                .filter(|pid| is_postgres(*pid));
            server = server.zip(pid).map(|(mut pids, pid)| {
                pids.push(pid);
                pids
            });
        }
        Self {
            before: now(server.as_deref()),
            server,
        }
    }

    pub(super) fn read(&self) -> Cpu {
        let now = now(self.server.as_deref());
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

fn now(server: Option<&[i32]>) -> Cpu {
    let all = server.and_then(|pids| pids.iter().map(|pid| seconds(&pid.to_string())).sum());
    Cpu {
        client: seconds("self").unwrap_or(f64::NAN),
        server: all.unwrap_or(f64::NAN),
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
