//! What a process writes down of a server that it leaves to others: all that it takes to use it.

use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Login;
use super::provider::Address;

/// The word before a note in an entry, which nobody but its user can read.
const WORD: &str = "shared ";

/// A port that is there takes a connection by then.
const PATIENCE: Duration = Duration::from_secs(2);

/// A server that processes share.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Note {
    /// Who asks for the same finds it.
    pub(super) key: String,
    /// Its kind, as `--server` has it.
    pub(super) kind: String,
    /// Where it is from.
    pub(super) origin: String,
    pub(super) maintenance_database: String,
    /// Without the packager's part, and as `server_version_num`.
    pub(super) version: (String, u32),
    host: String,
    port: u16,
    socket: Option<(PathBuf, u16)>,
    role: String,
    password: Option<String>,
}

impl Note {
    /// The note of a server of our own.
    pub(super) fn new(
        key: &str,
        (kind, origin, version): (&str, &str, (&str, u32)),
        address: &Address,
        administrator: &Login,
        maintenance_database: &str,
    ) -> Self {
        Self {
            key: key.to_owned(),
            kind: kind.to_owned(),
            origin: origin.to_owned(),
            maintenance_database: maintenance_database.to_owned(),
            version: (version.0.to_owned(), version.1),
            host: address.host.clone(),
            port: address.port,
            socket: address.socket.clone(),
            role: administrator.role.clone(),
            password: administrator.password.clone(),
        }
    }

    /// As a line of an entry.
    pub(super) fn line(&self) -> String {
        format!("{WORD}{}", serde_json::json!(self))
    }

    /// The note that a line of an entry is; `None` for every other line, and for one that was cut off.
    pub(super) fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line.strip_prefix(WORD)?).ok()
    }

    /// Where the server is.
    pub(super) fn address(&self) -> Address {
        let mut address = Address::tcp(self.host.clone(), self.port);
        address.socket.clone_from(&self.socket);
        address
    }

    /// Where its log is, if that is a file of this machine's.
    pub(super) fn log(&self) -> Option<PathBuf> {
        // A container's socket may be in a folder of this machine, its log is not.
        let (folder, _) = self.socket.as_ref().filter(|_| self.kind != "docker")?;
        Some(folder.join("log"))
    }

    /// Its superuser.
    pub(super) fn administrator(&self) -> Login {
        Login {
            role: self.role.clone(),
            password: self.password.clone(),
        }
    }

    /// Whether something takes connections where the server is.
    pub(super) fn answers(&self) -> bool {
        if let Some((folder, port)) = &self.socket {
            return UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).is_ok();
        }
        let addresses = (self.host.as_str(), self.port).to_socket_addrs();
        let mut addresses = addresses.into_iter().flatten();
        addresses.any(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
    }
}
