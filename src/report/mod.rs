//! Renderers of a [`Report`], and what is accepted of it. Pure: a report in, text out. A new format is one file
//! here and one line in `RENDERERS`.

mod accept;
mod baseline;
mod cause;
mod difference;
#[cfg(feature = "cli")]
mod excerpt;
mod fold;
mod github;
#[cfg(feature = "reports")]
mod html;
mod json;
#[cfg(feature = "reports")]
mod junit;
mod lines;
#[cfg(feature = "reports")]
mod markdown;
#[cfg(feature = "reports")]
mod markup;
mod merge;
mod mutation;
mod page;
mod read;
#[cfg(feature = "reports")]
mod sarif;
mod summary;
#[cfg(feature = "reports")]
mod tap;
mod text;

use crate::model::Report;

pub use accept::accept;
pub use baseline::Baseline;
#[cfg(feature = "cli")]
pub(crate) use excerpt::excerpt;
pub use merge::merge;
pub use mutation::{MUTATION_FORMATS, render_mutation};
pub use read::{KnownCheck, read};

/// The formats.
static RENDERERS: &[&dyn Renderer] = &[
    &text::Text,
    &json::Json,
    &github::GitHub,
    #[cfg(feature = "reports")]
    &html::Html,
    #[cfg(feature = "reports")]
    &junit::JUnit,
    #[cfg(feature = "reports")]
    &markdown::Markdown,
    #[cfg(feature = "reports")]
    &sarif::Sarif,
    #[cfg(feature = "reports")]
    &tap::Tap,
];

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
