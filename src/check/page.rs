//! The documentation of a check: the same text in reports, `explain` and the generated docs.

use std::fmt;

/// A check's page.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Names the defect.
    pub id: &'static str,
    /// The defect in a line.
    pub title: &'static str,
    /// What is tried or read.
    pub what: &'static str,
    /// Why it leaks.
    pub why: &'static str,
    /// The smallest schema or query that has it.
    pub example: &'static str,
    /// How it is mended.
    pub fix: &'static str,
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}\n", self.id, self.title)?;
        for (head, text) in [
            ("What is checked", self.what),
            ("Why it leaks", self.why),
            ("Example", self.example),
            ("Fix", self.fix),
        ] {
            writeln!(f, "{head}\n")?;
            for line in text.trim().lines() {
                writeln!(f, "    {line}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
