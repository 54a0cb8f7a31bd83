//! Ctrl-C and its like: the work is dropped, which cleans up, and the process ends with a status of its own.

use std::pin::pin;

use crate::error::{Error, Result};

/// Does the work until it is done or the process is asked to end. What the work holds (servers, databases,
/// children) is removed when it is dropped.
///
/// # Errors
/// Those of the work; [`Error::Usage`] where it was interrupted.
pub(super) async fn or_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    or_passed_on(work, |_| false).await
}

/// The same for work that may be another program's: that is told of the first signal, and given the time to end in its own
/// way. The second ends the work.
pub(super) async fn or_passed_on<T>(
    work: impl Future<Output = Result<T>>,
    pass_on: impl Fn(&str) -> bool,
) -> Result<T> {
    let mut work = pin!(work);
    let mut signals = Signals::new();
    let mut passed_on = false;
    loop {
        let name = tokio::select! {
            done = &mut work => return done,
            name = signals.next() => name,
        };
        if !passed_on && pass_on(name) {
            passed_on = true;
            continue;
        }
        let said = if name == "INT" {
            "Ctrl-C".to_owned()
        } else {
            format!("SIG{name}")
        };
        return Err(Error::Usage(format!(
            "stopped by {said}; what was started has been removed"
        )));
    }
}

/// The signals by which a process is asked to end, by their names without `SIG`.
#[cfg(unix)]
struct Signals(Vec<(&'static str, tokio::signal::unix::Signal)>);

#[cfg(unix)]
impl Signals {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [
            ("INT", SignalKind::interrupt()),
            ("TERM", SignalKind::terminate()),
            ("HUP", SignalKind::hangup()),
            ("QUIT", SignalKind::quit()),
        ];
        // One that can't be listened to ends the process as it always does.
        let listen = |(name, kind)| Some((name, signal(kind).ok()?));
        Self(kinds.into_iter().filter_map(listen).collect())
    }

    async fn next(&mut self) -> &'static str {
        std::future::poll_fn(|context| {
            let came = |(name, stream): &mut (&'static str, tokio::signal::unix::Signal)| {
                stream.poll_recv(context).is_ready().then_some(*name)
            };
            match self.0.iter_mut().find_map(came) {
                Some(name) => std::task::Poll::Ready(name),
                None => std::task::Poll::Pending,
            }
        })
        .await
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) -> &'static str {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "INT"
    }
}
