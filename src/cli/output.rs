//! What leaves the process: standard output, files, and texts that are safe for a terminal.

use std::fs;
use std::io::{ErrorKind, Write as _, stdout};
use std::path::Path;

use crate::error::{Error, Result};

/// Prints to standard output. A reader that has gone away, as `head` does, is no error.
pub(super) fn print(text: &str) -> Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::io("standard output", error))
        }
        _ => Ok(()),
    }
}

/// Writes a file, and the folder that it lies in where that is missing.
pub(super) fn write_file(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    fs::write(path, text).map_err(|e| Error::io(path, e))
}

/// The text without what a terminal would obey: messages may quote a hostile schema.
pub(super) fn disarmed(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}
