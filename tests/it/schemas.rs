//! Schemas in the styles of real products: the harness makes rows for all of them, and finds what is there and no more.

use std::path::PathBuf;

use rstest::rstest;
use watertight::Harness;
use watertight::model::RunVerdict;

use crate::fixture::{Fixture, lines};

#[rstest]
#[tokio::test]
async fn a_schema_is_judged_as_its_style_deserves(
    #[files("fixtures/schemas/*.sql")] path: PathBuf,
    // The second seed is another than the fixtures': what holds by luck is seen.
    #[values(None, Some("0123456789abcdef@1767225600"))] seed: Option<&str>,
) {
    let fixture = Fixture::read(&path);
    let mut settings = fixture.settings("local");
    if let Some(seed) = seed {
        settings.run.seed = Some(seed.to_owned());
    }
    let report = Harness::new(settings).run(&|_| {}).await.unwrap();
    assert_eq!(
        lines(&report),
        fixture.expected,
        "left: what was found; right: what the fixture expects\n{:#?}\n{:#?}",
        report.findings,
        report.inconclusive
    );
    let leaky = path
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .ends_with("-leaky");
    let expected = if leaky {
        RunVerdict::Leaked
    } else {
        RunVerdict::Held
    };
    assert_eq!(report.verdict(), expected);
}
