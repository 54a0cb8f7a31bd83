//! One file of HTML that needs nothing else: the verdict first, then what is wrong and how it is repeated and mended,
//! then what was tried. It reads without its script, which only filters. Every text of the schema's is escaped, and the
//! page's own policy lets no other script or address in.

mod facts;
mod findings;
mod matrix;

use std::fmt::{Display, Write as _};

use super::Renderer;
use super::difference::{differences, name};
use super::markup::escaped;
use super::summary::summary;
use crate::model::{Report, RunVerdict};

const STYLE: &str = include_str!("style.css");

const SCRIPT: &str = include_str!("script.js");

/// HTML.
pub(super) struct Html;

impl Renderer for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn render(&self, report: &Report, _: bool) -> String {
        let verdict = report.verdict();
        let mut page = Markup::default();
        page.add("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.add("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.add("<meta name=\"color-scheme\" content=\"light dark\">\n");
        page.add("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ");
        page.add("style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n");
        page.element("title", "", &format!("{}: watertight", verdict.word()));
        page.add("<style>\n")
            .add(STYLE)
            .add("</style>\n</head>\n<body>\n");
        header(&mut page, report);
        page.add("<main>\n");
        runs(&mut page, report);
        findings::write(&mut page, report);
        matrix::write(&mut page, report);
        facts::write(&mut page, report);
        page.add("</main>\n<script>\n")
            .add(SCRIPT)
            .add("</script>\n</body>\n</html>\n");
        page.text
    }
}

/// The page so far.
#[derive(Default)]
struct Markup {
    text: String,
}

impl Markup {
    /// Adds markup of our own.
    fn add(&mut self, markup: &str) -> &mut Self {
        self.text.push_str(markup);
        self
    }

    /// Adds text.
    fn say(&mut self, text: &impl Display) -> &mut Self {
        self.text.push_str(&escaped(&text.to_string()));
        self
    }

    /// Adds an element that holds text alone.
    fn element(&mut self, name: &str, class: &str, text: &impl Display) -> &mut Self {
        match class {
            "" => write!(self.text, "<{name}>"),
            class => write!(self.text, "<{name} class=\"{}\">", escaped(class)),
        }
        .unwrap_or_default();
        self.say(text);
        let _ = write!(self.text, "</{name}>");
        self
    }

    /// Adds SQL or another text whose lines count.
    fn block(&mut self, text: &str) -> &mut Self {
        self.add("<pre><code>")
            .say(&text.trim_matches(['\n', '\r']))
            .add("</code></pre>\n")
    }

    /// Begins a section.
    fn section(&mut self, id: &str, title: &str) -> &mut Self {
        let _ = write!(self.text, "<section id=\"{}\">\n<h2>", escaped(id));
        self.say(&title).add("</h2>\n")
    }
}

fn header(page: &mut Markup, report: &Report) {
    let verdict = report.verdict();
    page.add(&format!("<header class=\"{}\">\n", verdict.word()));
    page.element("h1", "", &verdict.word().to_uppercase())
        .add("\n");
    page.element("p", "summary", &summary(report))
        .add("\n<nav>");
    let mut link = |target: &str, text: &str, there: bool| {
        if there {
            page.add(&format!("<a href=\"#{target}\">{text}</a>"));
        }
    };
    link("runs", "Versions", !report.runs.is_empty());
    link(
        "findings",
        "Findings",
        !report.findings.is_empty() || !report.inconclusive.is_empty(),
    );
    link("matrix", "Matrix", !report.attacks.is_empty());
    link("checks", "Checks", true);
    link("coverage", "Coverage", true);
    link("timings", "Timings", true);
    page.add("</nav>\n</header>\n");
    if let Some(mistake) = &report.mistake {
        page.element(
            "p",
            "mistake",
            &format!("{}: {}", mistake.place, mistake.message),
        )
        .add("\n");
    }
}

/// The word that a verdict's colour goes by.
fn class(verdict: RunVerdict) -> &'static str {
    verdict.word()
}

/// Several versions or parts side by side, check by check, and what only some of them show.
fn runs(page: &mut Markup, report: &Report) {
    if report.runs.is_empty() {
        return;
    }
    page.section("runs", "Side by side");
    let failed = report.runs.iter().filter_map(|run| {
        let failure = run.failure.as_ref()?;
        Some(format!("{} could not be done: {failure}", name(run)))
    });
    let differences: Vec<String> = failed.chain(differences(report)).collect();
    if differences.is_empty() {
        page.element("p", "", &"Every run shows the same.")
            .add("\n");
    } else {
        page.add("<ul class=\"differences\">\n");
        for told in &differences {
            page.element("li", "", told).add("\n");
        }
        page.add("</ul>\n");
    }
    page.add("<div class=\"wide\"><table class=\"runs\">\n<thead><tr><th scope=\"col\">check</th>");
    for run in &report.runs {
        page.add("<th scope=\"col\">").say(&name(run)).add("</th>");
    }
    page.add("</tr></thead>\n<tbody>\n<tr><th scope=\"row\">verdict</th>");
    for run in &report.runs {
        let verdict = run.verdict();
        page.element("td", class(verdict), &verdict.word());
    }
    page.add("</tr>\n");
    for id in report.checks.keys() {
        page.add("<tr>")
            .add("<th scope=\"row\">")
            .say(id)
            .add("</th>");
        for run in &report.runs {
            let (class, text) = match run.checks.get(id) {
                None => ("none", "not run".to_owned()),
                Some(tally) => facts::outcome(run, id, tally),
            };
            page.element("td", class, &text);
        }
        page.add("</tr>\n");
    }
    page.add("</tbody></table></div>\n</section>\n");
}
