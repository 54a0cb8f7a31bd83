//! What a column of texts is about, as its name suggests.

use fake::Fake as _;
use fake::faker::address::raw::{CityName, StreetName};
use fake::faker::job::raw::Title;
use fake::faker::lorem::raw::{Sentence, Word};
use fake::locales::{EN, FR_FR};

use super::company::{self, Company};
use super::person::{Person, slug};
use super::{Cell, Profile};
use crate::generate::dice::Dice;

/// What a text is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Siren,
    Siret,
    Naf,
    Email,
    Url,
    Domain,
    Slug,
    FirstName,
    LastName,
    FullName,
    Company,
    TimeZone,
    Currency,
    Country,
    Language,
    Phone,
    Street,
    City,
    Postcode,
    Job,
    Prose,
    Word,
}

/// Words in a column's name, in the order in which they decide.
const WORDS: [(Topic, &[&str]); 19] = [
    (Topic::Siret, &["siret"]),
    (Topic::Siren, &["siren"]),
    (Topic::Naf, &["naf", "ape_code"]),
    (Topic::Email, &["email", "e_mail", "courriel"]),
    (Topic::Url, &["url", "website", "link", "href", "uri"]),
    (Topic::Domain, &["domain", "host"]),
    // A postal code is a code.
    (Topic::Postcode, &["postal", "postcode", "zip"]),
    (
        Topic::Slug,
        &[
            "slug", "handle", "username", "login", "key", "code", "ref", "external",
        ],
    ),
    (
        Topic::FirstName,
        &["first_name", "firstname", "given", "prenom"],
    ),
    (
        Topic::LastName,
        &["last_name", "lastname", "surname", "family"],
    ),
    (
        Topic::FullName,
        &["full_name", "display_name", "person", "contact"],
    ),
    (
        Topic::Company,
        &[
            "compan",
            "organisation",
            "organization",
            "account",
            "tenant",
            "legal_name",
        ],
    ),
    (Topic::TimeZone, &["timezone", "time_zone"]),
    (Topic::Currency, &["currency"]),
    (Topic::Phone, &["phone", "mobile", "tel"]),
    (Topic::Street, &["street", "address", "adresse"]),
    (Topic::City, &["city", "town", "ville"]),
    (Topic::Job, &["job", "role", "function"]),
    (
        Topic::Prose,
        &[
            "body", "note", "descr", "content", "message", "comment", "reason", "subject",
        ],
    ),
];

impl Topic {
    pub(super) fn of(profile: &Profile) -> Self {
        let name = profile.name.as_str();
        match name {
            "tz" => return Self::TimeZone,
            "title" => return Self::Job,
            "country" | "country_code" | "pays" => return Self::Country,
            "language" | "locale" | "lang" => return Self::Language,
            _ => {}
        }
        WORDS
            .iter()
            .find(|(_, words)| words.iter().any(|word| name.contains(word)))
            .map_or(Self::Word, |(topic, _)| *topic)
    }

    /// A text about it. What must differ from row to row, or be traced, carries `tail`.
    pub(super) fn make(self, cell: &Cell<'_>, tail: &str, dice: &mut Dice) -> String {
        let with = |text: &str, joint: &str| {
            if tail.is_empty() {
                text.to_owned()
            } else {
                format!("{text}{joint}{tail}")
            }
        };
        match self {
            Self::Siren => company::siren(cell),
            Self::Siret => company::siret(cell),
            Self::Naf => with(company::NAF[dice.below(company::NAF.len())], "-"),
            Self::Email => format!("{}@example.fr", with(&Person::of(cell).mailbox(), ".")),
            Self::Url => format!(
                "https://example.fr/{}",
                with(&Company::of(cell).slug(), "-")
            ),
            Self::Domain => format!("{}.example.fr", with(&Company::of(cell).slug(), "-")),
            Self::Slug => with(&slug(Person::of(cell).last), "-"),
            Self::FirstName => with(Person::of(cell).first, " "),
            Self::LastName => with(Person::of(cell).last, " "),
            Self::FullName => {
                let Person { first, last } = Person::of(cell);
                with(&format!("{first} {last}"), " ")
            }
            Self::Company => {
                let Company { stem, form } = Company::of(cell);
                with(&format!("{stem} {form}"), " ")
            }
            Self::TimeZone => with("Europe/Paris", " "),
            Self::Currency => with("EUR", "-"),
            Self::Country => with(["FR", "FR", "BE", "GB"][dice.below(4)], "-"),
            Self::Language => with(["fr", "fr", "en"][dice.below(3)], "-"),
            Self::Phone => {
                let number = if tail.is_empty() {
                    dice.word()
                } else {
                    cell.ordinal
                };
                format!("+336{:08}", number % 100_000_000)
            }
            Self::Street => {
                let street = StreetName(FR_FR).fake_with_rng::<String, _>(dice);
                with(&format!("{} rue {street}", 1 + dice.below(200)), " ")
            }
            Self::City => with(&CityName(FR_FR).fake_with_rng::<String, _>(dice), " "),
            Self::Postcode => with(&format!("{:05}", 1_000 + dice.below(94_000)), "-"),
            Self::Job => with(&Title(EN).fake_with_rng::<String, _>(dice), " "),
            Self::Prose => with(&Sentence(FR_FR, 3..8).fake_with_rng::<String, _>(dice), " "),
            Self::Word => with(Word(FR_FR).fake_with_rng::<&str, _>(dice), " "),
        }
    }
}
