//! A container whose server is waited for, and its log.

use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::testcontainers::ContainerAsync;
use testcontainers_modules::testcontainers::core::IntoContainerPort;

use super::Login;
use super::provider::{Address, Boxed, Starting, connected, last_lines};
use crate::error::{Doing, Error, Result};

/// A connection must work by then: `initdb` runs in the container, on a machine that may be busy.
const START_LIMIT: Duration = Duration::from_mins(1);

/// One of Postgres's.
pub(super) type Container = ContainerAsync<Postgres>;

/// Waits for the server. By TCP first: the server that runs the image's set-up has sockets alone.
pub(super) async fn reached(
    container: &Container,
    socket: Option<&Path>,
    administrator: &Login,
) -> Result<(Address, PgConnection)> {
    let said = |error| Error::Server(format!("no port of the container: {error}"));
    let host = container.get_host().await.map_err(said)?.to_string();
    let port = container
        .get_host_port_ipv4(5432.tcp())
        .await
        .map_err(said)?;
    // `localhost` may mean an address that the port isn't published on.
    let host = if host == "localhost" {
        "127.0.0.1".to_owned()
    } else {
        host
    };
    let address = Address::tcp(host, port);
    let options = address.options(administrator, "postgres");
    let by_tcp = connected(&options, START_LIMIT, &mut Waiting(container)).await?;
    let Some(folder) = socket else {
        return Ok((address, by_tcp));
    };
    let mut by_socket = address.clone();
    by_socket.socket = Some((folder.to_owned(), 5432));
    // Where the engine is in a virtual machine the socket can be seen and not reached.
    let options = by_socket.options(administrator, "postgres");
    match tokio::time::timeout(Duration::from_secs(1), PgConnection::connect_with(&options)).await {
        Ok(Ok(connection)) => {
            by_tcp.close().await.doing("close a connection")?;
            Ok((by_socket, connection))
        }
        _ => Ok((address, by_tcp)),
    }
}

/// A container whose server does not answer yet.
struct Waiting<'a>(&'a Container);

impl Starting for Waiting<'_> {
    fn check(&mut self) -> Boxed<'_, Result<()>> {
        Box::pin(async {
            if !matches!(self.0.is_running().await, Ok(false)) {
                return Ok(());
            }
            let log = log(self.0).await.unwrap_or_default();
            Err(Error::Server(format!(
                "the container ended while starting:\n{log}"
            )))
        })
    }
}

/// The end of the log: Postgres's is on standard error, that of the image's set-up, before it, on standard output.
pub(super) async fn log(container: &Container) -> Option<String> {
    let mut text = container.stdout_to_vec().await.ok()?;
    text.extend(container.stderr_to_vec().await.ok()?);
    Some(last_lines(&text))
}

/// Runs a task to its end whatever this thread is: one that runs tasks, where waiting for one is forbidden, or
/// one where there is nothing to run any.
pub(super) fn wait_for<T: Send>(task: impl Future<Output = T> + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            Some(runtime.block_on(task))
        });
        worker.join().ok().flatten()
    })
}
