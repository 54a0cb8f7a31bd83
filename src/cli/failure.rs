//! How an error is told: what is wrong with a file of settings, with its lines.

use std::fs;

use crate::error::Error;
use crate::report;

/// The message, and the lines of the file of settings that it is about. A migration's error brings its own.
pub(super) fn told(error: &Error) -> String {
    let message = error.to_string();
    let drawn = match error {
        Error::Configuration { place, .. } => drawn(place),
        _ => None,
    };
    match drawn {
        Some(drawn) => format!("{message}\n{drawn}"),
        None => message,
    }
}

/// The lines around a place, as `watertight.toml:12`, maybe with more behind it.
fn drawn(place: &str) -> Option<String> {
    let (file, rest) = place.rsplit_once(".toml:")?;
    let file = format!("{file}.toml");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let text = fs::read_to_string(&file).ok()?;
    report::excerpt(&file, &text, digits.parse().ok()?, "", "here")
}
