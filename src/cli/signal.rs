//! Ctrl-C and its like: the work is dropped, which cleans up, and the process ends with a status of its own.

use crate::error::{Error, Result};

/// Does the work until it is done or the process is asked to end. What the work holds (servers, databases,
/// children) is removed when it is dropped.
///
/// # Errors
/// Those of the work; [`Error::Usage`] where it was interrupted.
pub(super) async fn or_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        name = asked_to_end() => Err(Error::Usage(format!(
            "stopped by {name}; what was started has been removed"
        ))),
    }
}

#[cfg(unix)]
async fn asked_to_end() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| async move {
        match signal(kind) {
            Ok(mut stream) => drop(stream.recv().await),
            // It can't be listened to: it ends the process as it always does.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = listen(SignalKind::interrupt()) => "Ctrl-C",
        () = listen(SignalKind::terminate()) => "SIGTERM",
        () = listen(SignalKind::hangup()) => "SIGHUP",
        () = listen(SignalKind::quit()) => "SIGQUIT",
    }
}

#[cfg(not(unix))]
async fn asked_to_end() -> &'static str {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    "Ctrl-C"
}
