//! Rows of worlds are like those of real data, where the names of tables and columns say what that is.

use std::collections::BTreeMap;

use watertight::generate::{Generator, Genes, Ground, Pools};
use watertight::model::{Dataset, RelationName, TenantSettings, WorldKind};
use watertight::{introspect, tenancy};

use crate::fixture::SEED;
use crate::scratch::Database;

const SHOPS: &str = "
    CREATE TABLE organisations (organisation_id uuid PRIMARY KEY, name text NOT NULL);
    CREATE TABLE companies (organisation_id uuid NOT NULL REFERENCES organisations, id uuid NOT NULL,
        siren char(9) NOT NULL, PRIMARY KEY (organisation_id, id), UNIQUE (organisation_id, siren));
    CREATE TABLE shops (organisation_id uuid NOT NULL, id uuid NOT NULL, company_id uuid NOT NULL, siret char(14) NOT NULL,
        PRIMARY KEY (organisation_id, id), UNIQUE (organisation_id, siret),
        FOREIGN KEY (organisation_id, company_id) REFERENCES companies);
    CREATE TABLE registers (organisation_id uuid NOT NULL, company_id uuid NOT NULL, opened date NOT NULL,
        PRIMARY KEY (organisation_id, company_id), FOREIGN KEY (organisation_id, company_id) REFERENCES companies);";

const ROWS: usize = 60;

/// The cells of columns, row by row.
fn cells<'d>(dataset: &'d Dataset, table: &str, columns: [&str; 2]) -> Vec<[&'d str; 2]> {
    let rows = &dataset[&RelationName::new("public", table)];
    let at = columns.map(|name| rows.columns.iter().position(|column| column == name));
    rows.rows
        .iter()
        .map(|row| at.map(|at| row[at.unwrap()].as_deref().unwrap()))
        .collect()
}

/// The digits' sum by Luhn's formula, of which a number that passes leaves nothing by ten.
fn luhn(number: &str) -> u32 {
    let digits = number.bytes().rev().map(|byte| u32::from(byte - b'0'));
    let weighed = digits.enumerate().map(|(i, digit)| match i % 2 {
        0 => digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    });
    weighed.sum()
}

#[tokio::test]
async fn companies_have_their_own_shops_and_some_have_many() {
    let database = Database::new().await;
    let mut connection = database.connect().await;
    sqlx::raw_sql(SHOPS).execute(&mut connection).await.unwrap();
    let catalog = introspect::introspect(&mut connection).await.unwrap();
    let settings = TenantSettings {
        table: Some("organisations".to_owned()),
        ..TenantSettings::default()
    };
    let tenancy = tenancy::classify(&catalog, &settings, None).unwrap();
    let (existing, pools) = (BTreeMap::new(), Pools::default());
    let generator = Generator::new(Ground {
        catalog: &catalog,
        tenancy: &tenancy,
        existing: &existing,
        pools: &pools,
    });
    let worlds = generator.decode(&Genes::new(SEED.parse().unwrap(), 3, ROWS));
    let others = worlds.others(WorldKind::Different);
    for dataset in others.into_iter().chain([&worlds.acting]) {
        let sirens: BTreeMap<&str, &str> = cells(dataset, "companies", ["id", "siren"])
            .into_iter()
            .map(|[id, siren]| (id, siren))
            .collect();
        let mut shops: BTreeMap<&str, usize> = BTreeMap::new();
        for [company, siret] in cells(dataset, "shops", ["company_id", "siret"]) {
            assert!(
                siret.starts_with(sirens[company]),
                "{siret} of {}",
                sirens[company]
            );
            assert_eq!(luhn(siret) % 10, 0, "{siret}");
            *shops.entry(company).or_default() += 1;
        }
        let mut counts: Vec<usize> = sirens
            .keys()
            .map(|id| shops.get(id).copied().unwrap_or(0))
            .collect();
        counts.sort_unstable();
        let (median, most) = (counts[counts.len() / 2], counts[counts.len() - 1]);
        assert!(most >= 5 && most >= 4 * median, "{counts:?}");
        assert!(counts.iter().sum::<usize>() >= ROWS, "{counts:?}");
        // A key that is one-to-one takes nearly every company: a few are referred to by none.
        let registers = cells(dataset, "registers", ["company_id", "opened"]);
        assert!(registers.len() + 5 >= ROWS, "{}", registers.len());
    }
}
