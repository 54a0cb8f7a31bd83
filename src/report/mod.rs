//! Renderers of a [`Report`], and what is accepted of it. Pure: a report in, text out. A new format is one file
//! here and one line in `RENDERERS`.

mod accept;
mod baseline;
mod github;
mod json;
mod mutation;
mod page;
mod text;

use crate::model::Report;

pub use accept::accept;
pub use baseline::Baseline;
pub use mutation::{MUTATION_FORMATS, render_mutation};

/// The formats.
static RENDERERS: &[&dyn Renderer] = &[&text::Text, &json::Json, &github::GitHub];

/// A way to show a report.
trait Renderer: Sync {
    /// The word for it on the command line.
    fn name(&self) -> &'static str;

    /// The report as text that ends with a line break. Colours only where they are asked for and known.
    fn render(&self, report: &Report, colours: bool) -> String;
}

/// The words for the formats.
pub fn formats() -> impl Iterator<Item = &'static str> {
    RENDERERS.iter().map(|renderer| renderer.name())
}

/// The report in a format; nothing where there is no such format. `colours` asks for them: it is for the caller
/// to know whether a terminal reads it.
#[must_use]
pub fn render(report: &Report, format: &str, colours: bool) -> Option<String> {
    let renderer = RENDERERS.iter().find(|r| r.name() == format)?;
    Some(renderer.render(report, colours))
}

#[cfg(test)]
mod tests;
