use super::*;
use crate::model::{Action, Column, ForeignKey, Generated, Index, IndexKey, Table};

fn table(name: &str, columns: &[&str], keys: Vec<ForeignKey>) -> (RelationName, Table) {
    let name = RelationName::new("public", name);
    let column = |column: &&str| Column {
        name: (*column).to_owned(),
        type_oid: 0,
        modifier: -1,
        dimensions: 0,
        type_name: "uuid".to_owned(),
        not_null: true,
        default: None,
        generated: Generated::No,
        formula: None,
        identity: false,
        samples: Vec::new(),
    };
    let key = Index {
        name: "pkey".to_owned(),
        keys: ["org_id", "id"]
            .map(|key| IndexKey::Column(key.to_owned()))
            .into(),
        unique: true,
        primary: true,
        exclusion: false,
        operators: Vec::new(),
        constraint: true,
        predicate: None,
        nulls_not_distinct: false,
        definition: String::new(),
    };
    let table = Table {
        name: name.clone(),
        owner: String::new(),
        partitioned: false,
        bounds: Vec::new(),
        partition_of: None,
        columns: columns.iter().map(column).collect(),
        indexes: vec![key],
        foreign_keys: keys,
        checks: Vec::new(),
        policies: Vec::new(),
        triggers: Vec::new(),
        notifying: Vec::new(),
        published: Vec::new(),
        row_security: false,
        force_row_security: false,
        privileges: BTreeMap::new(),
        existing_rows: 0,
    };
    (name, table)
}

/// People and notes of organisations, users that memberships link, lines below notes, and countries of nobody.
fn schema() -> (Catalog, Tenancy) {
    let key = |name: &str, column: &str, target: &str| ForeignKey {
        name: name.to_owned(),
        columns: vec![column.to_owned()],
        target: RelationName::new("public", target),
        target_columns: vec!["id".to_owned()],
        match_full: false,
        on_delete: Action::NoAction,
        on_delete_columns: Vec::new(),
        on_update: Action::NoAction,
        deferrable: false,
        initially_deferred: false,
        validated: true,
        enforced: true,
        period: false,
    };
    let scoped = || Class::Scoped {
        column: "org_id".to_owned(),
    };
    let tables = [
        (
            table("people", &["org_id", "id", "name"], Vec::new()),
            scoped(),
        ),
        (
            table("notes", &["org_id", "id", "person_id"], Vec::new()),
            scoped(),
        ),
        (
            table(
                "members",
                &["org_id", "id", "user_id"],
                vec![key("u", "user_id", "users")],
            ),
            scoped(),
        ),
        (
            table("users", &["id", "email"], Vec::new()),
            Class::Linked {
                through: RelationName::new("public", "members"),
                column: "user_id".to_owned(),
            },
        ),
        (
            table(
                "lines",
                &["id", "note_id"],
                vec![key("n", "note_id", "notes")],
            ),
            Class::Derived {
                foreign_key: "n".to_owned(),
            },
        ),
        (table("countries", &["code"], Vec::new()), Class::Shared),
    ];
    let (mut catalog, mut tenancy) = (Catalog::default(), Tenancy::default());
    catalog.functions.insert("census".to_owned(), String::new());
    for ((name, table), class) in tables {
        catalog.tables.insert(name.clone(), table);
        tenancy.classes.insert(name, class);
    }
    (catalog, tenancy)
}

fn tied(sql: &str) -> bool {
    let (catalog, tenancy) = schema();
    let query = crate::query::read("q.sql", sql).unwrap().remove(0);
    is_tied(&catalog, &tenancy, &query)
}

#[test]
fn what_every_table_is_tied_by() {
    for sql in [
        "SELECT * FROM people WHERE org_id = $1",
        "SELECT n.id FROM notes n JOIN people p ON p.org_id = n.org_id AND p.id = n.person_id WHERE n.org_id = $1",
        "SELECT n.id FROM notes n LEFT JOIN people p ON p.org_id = n.org_id WHERE n.org_id = $1",
        "SELECT n.id FROM notes n FULL JOIN people p ON p.org_id = n.org_id WHERE n.org_id = $1",
        "SELECT n.id FROM notes n JOIN people p USING (org_id) WHERE n.org_id = $1",
        "SELECT n.id FROM notes n JOIN people p ON (p.org_id, p.id) = (n.org_id, n.person_id) WHERE n.org_id = $1",
        "WITH own AS (SELECT org_id, id FROM people WHERE org_id = $1) \
         SELECT n.id FROM own o JOIN notes n ON n.org_id = o.org_id AND n.person_id = o.id",
        "WITH RECURSIVE w AS (SELECT org_id, id FROM notes WHERE org_id = $1 UNION ALL \
         SELECT n.org_id, n.id FROM w JOIN notes n ON n.org_id = w.org_id AND n.person_id = w.id) SELECT id FROM w",
        "SELECT p.id, l.id FROM people p LEFT JOIN LATERAL (SELECT n.id FROM notes n WHERE n.org_id = p.org_id LIMIT 1) l \
         ON true WHERE p.org_id = $1",
        "SELECT id FROM people p WHERE org_id = $1 AND NOT EXISTS (SELECT FROM notes n WHERE n.org_id = p.org_id)",
        "SELECT u.email FROM members m LEFT JOIN users u ON u.id = m.user_id WHERE m.org_id = $1",
        "SELECT l.id FROM notes n JOIN lines l ON l.note_id = n.id WHERE n.org_id = $1",
        "SELECT c.code, count(p.id) FROM countries c LEFT JOIN people p ON p.org_id = $1 GROUP BY c.code",
        "SELECT id FROM people WHERE org_id = $1 EXCEPT SELECT person_id FROM notes WHERE org_id = $1",
        "UPDATE people SET name = 'x' WHERE org_id = $1 RETURNING id",
        "DELETE FROM notes n USING people p WHERE n.org_id = $1 AND p.org_id = n.org_id",
        "INSERT INTO notes (org_id, person_id) SELECT p.org_id, p.id FROM people p WHERE p.org_id = $1",
        "INSERT INTO people (org_id, id) VALUES ($1, $2) ON CONFLICT (org_id, id) DO UPDATE SET name = 'x'",
    ] {
        assert!(tied(sql), "{sql}");
    }
}

#[test]
fn what_is_loose() {
    for sql in [
        "SELECT * FROM people WHERE id = $2 AND $1::uuid IS NOT NULL",
        "SELECT * FROM people WHERE org_id = $1 OR name = $2",
        "SELECT n.id FROM notes n JOIN people p ON p.id = n.person_id WHERE n.org_id = $1",
        "SELECT n.id FROM notes n LEFT JOIN people p ON p.org_id = n.org_id AND n.org_id = $1",
        "SELECT n.id FROM notes n FULL JOIN people p ON p.org_id = n.org_id AND n.org_id = $1",
        "SELECT n.id FROM notes n LEFT JOIN people p ON p.id = n.person_id AND n.org_id = $1 WHERE n.org_id = $1",
        "WITH own AS (SELECT org_id, id FROM people WHERE org_id = $1) SELECT n.id FROM own o JOIN notes n ON n.person_id = o.id",
        "WITH RECURSIVE w AS (SELECT org_id, id FROM notes WHERE org_id = $1 UNION ALL \
         SELECT n.org_id, n.id FROM w JOIN notes n ON n.person_id = w.id) SELECT id FROM w",
        "SELECT p.id FROM people p LEFT JOIN LATERAL (SELECT n.id FROM notes n WHERE n.person_id = p.id) l ON true WHERE p.org_id = $1",
        "SELECT id FROM people p WHERE org_id = $1 AND NOT EXISTS (SELECT FROM notes n WHERE n.person_id = p.id)",
        "SELECT id FROM people p JOIN countries c ON c.code IN (SELECT name FROM people) WHERE p.org_id = $1",
        "SELECT u.email FROM members m FULL JOIN users u ON u.id = m.user_id AND m.org_id = $1",
        "SELECT u.email FROM members m JOIN users u ON u.email = m.role WHERE m.org_id = $1",
        "SELECT l.id FROM notes n LEFT JOIN lines l ON true WHERE n.org_id = $1",
        "SELECT census() FROM people WHERE org_id = $1",
        "SELECT id FROM people WHERE org_id = $1 EXCEPT SELECT person_id FROM notes",
        "UPDATE people SET name = 'x' FROM notes n WHERE people.org_id = $1 AND n.person_id = people.id",
        "UPDATE people SET org_id = $2 WHERE org_id = $1",
        "INSERT INTO notes (org_id, person_id) SELECT p.org_id, p.id FROM people p WHERE p.id = $1 AND p.org_id IS NOT NULL",
        "INSERT INTO notes (org_id, person_id) SELECT * FROM (SELECT p.id, p.org_id FROM people p WHERE p.org_id = $1) q",
        "INSERT INTO people (org_id, id) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = 'x'",
        "SELECT id FROM some_view WHERE org_id = $1",
    ] {
        assert!(!tied(sql), "{sql}");
    }
}
