//! The lines of a file around a place, with a mark below what is meant.

use super::lines::{WIDEST, is_near};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};

/// Draws the lines around one of a file, counted from 1, with a mark below a word of it, else below all of it. `None`
/// where the file has no such line, or one that nobody could read.
pub(crate) fn excerpt(
    file: &str,
    text: &str,
    line: usize,
    word: &str,
    told: &str,
) -> Option<String> {
    let lines = text.split_inclusive('\n');
    let start: usize = lines.clone().take(line.checked_sub(1)?).map(str::len).sum();
    let near = |index: usize| is_near(index + 1, line);
    let shown = lines
        .clone()
        .enumerate()
        .filter(|(number, _)| near(*number));
    let wide = shown.into_iter().any(|(_, line)| line.len() > WIDEST);
    let marked = lines.clone().nth(line - 1)?;
    if wide || marked.trim().is_empty() {
        return None;
    }
    let (from, length) = match marked.find(word) {
        Some(at) if !word.is_empty() => (at, word.len()),
        _ => {
            let indent = marked.len() - marked.trim_start().len();
            (indent, marked.trim().len())
        }
    };
    let label = LabeledSpan::at(start + from..start + from + length, told);
    let diagnostic = MietteDiagnostic::new("").with_labels([label]);
    // What can be drawn upon is one string: what of a schema is no text is none here either.
    let report = Report::new(diagnostic).with_source_code(NamedSource::new(file, text.to_owned()));
    let mut drawn = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_links(false)
        .with_width(WIDEST)
        .render_report(&mut drawn, report.as_ref())
        .ok()?;
    // The message above it stands where the drawing is put.
    let lines: Vec<&str> = drawn
        .lines()
        .skip_while(|line| !line.contains('╭'))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn a_mark_stands_below_the_word() {
        let text = "CREATE TABLE t (\n  a int,\n  CONSTRAINT t_fkey REFERENCES u (id)\n);\n";
        let drawn = excerpt("m/1.sql", text, 3, "t_fkey", "accepts another tenant's row").unwrap();
        let lines: Vec<&str> = drawn.lines().collect();
        assert!(lines[0].contains("m/1.sql:3:14"), "{drawn}");
        let named = lines
            .iter()
            .position(|line| line.contains("t_fkey"))
            .unwrap();
        let column = |line: &str, c: char| line.chars().position(|one| one == c).unwrap();
        let under = lines[named + 1];
        assert_eq!(
            column(under, '─'),
            lines[named]
                .chars()
                .collect::<String>()
                .find("t_fkey")
                .map(|at| lines[named][..at].chars().count())
                .unwrap(),
            "{drawn}"
        );
        assert!(drawn.contains("accepts another tenant's row"), "{drawn}");
        assert_eq!(excerpt("m/1.sql", text, 9, "", ""), None);
        assert_eq!(excerpt("m/1.sql", text, 0, "", ""), None);
        assert_eq!(excerpt("m/1.sql", &"x".repeat(10_000), 1, "x", ""), None);
    }
}
