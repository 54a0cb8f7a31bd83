//! Migrations of Prisma: quoted names in camel case, texts and uuids as ids that the client makes, implicit tables of pairs.

use std::fmt::Write as _;

use super::{Old, camel, earlier, noun, pascal, pick};

const KINDS: [&str; 8] = [
    "",
    "comment",
    "line",
    "member",
    "activity",
    "preference",
    "revision",
    "to_user",
];
const PER_MIGRATION: usize = 40;

const START: &str = r#"
CREATE TYPE "Role" AS ENUM ('OWNER', 'ADMIN', 'MEMBER');
CREATE TABLE "Organization" ("id" TEXT NOT NULL, "name" TEXT NOT NULL, "slug" TEXT NOT NULL, "stripeCustomerId" TEXT, "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" TIMESTAMP(3) NOT NULL, CONSTRAINT "Organization_pkey" PRIMARY KEY ("id"));
CREATE TABLE "User" ("id" TEXT NOT NULL, "email" TEXT NOT NULL, "name" TEXT, "emailVerified" TIMESTAMP(3), CONSTRAINT "User_pkey" PRIMARY KEY ("id"));
CREATE TABLE "Session" ("id" TEXT NOT NULL, "sessionToken" TEXT NOT NULL, "userId" TEXT NOT NULL, "expires" TIMESTAMP(3) NOT NULL, CONSTRAINT "Session_pkey" PRIMARY KEY ("id"));
CREATE TABLE "Membership" ("id" TEXT NOT NULL, "organizationId" TEXT NOT NULL, "userId" TEXT NOT NULL, "role" "Role" NOT NULL DEFAULT 'MEMBER', CONSTRAINT "Membership_pkey" PRIMARY KEY ("id"));
CREATE UNIQUE INDEX "Organization_slug_key" ON "Organization"("slug");
CREATE UNIQUE INDEX "User_email_key" ON "User"("email");
CREATE UNIQUE INDEX "Session_sessionToken_key" ON "Session"("sessionToken");
CREATE UNIQUE INDEX "Membership_organizationId_userId_key" ON "Membership"("organizationId", "userId");
ALTER TABLE "Session" ADD CONSTRAINT "Session_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "Membership" ADD CONSTRAINT "Membership_organizationId_fkey" FOREIGN KEY ("organizationId") REFERENCES "Organization"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "Membership" ADD CONSTRAINT "Membership_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User"("id") ON DELETE CASCADE ON UPDATE CASCADE;
"#;

pub(super) fn schema(tables: usize) -> Old {
    let mut files = vec![
        (
            "prisma/migrations/migration_lock.toml".to_owned(),
            "provider = \"postgresql\"\n".to_owned(),
        ),
        (
            "prisma/migrations/20210101000000_init/migration.sql".to_owned(),
            START.to_owned(),
        ),
    ];
    let all: Vec<usize> = (0..tables.saturating_sub(4)).collect();
    for (part, numbers) in all.chunks(PER_MIGRATION).enumerate() {
        let (mut made, mut keys) = (String::new(), String::new());
        for number in numbers {
            table(
                &mut made,
                &mut keys,
                number / KINDS.len(),
                number % KINDS.len(),
            );
        }
        let path = format!(
            "prisma/migrations/2022{:02}01000000_part_{part}/migration.sql",
            part + 1
        );
        files.push((path, format!("{made}{keys}")));
    }
    Old {
        style: "prisma",
        tenant_column: "organizationId",
        files,
    }
}

/// Some models have uuids, the others what the client calls a cuid.
fn id_type(noun: &str) -> &'static str {
    if pick(noun, 3) == 0 { "UUID" } else { "TEXT" }
}

#[expect(clippy::too_many_lines, reason = "texts by kind, and no logic")]
fn table(made: &mut String, keys: &mut String, number: usize, kind: usize) {
    let one = noun(number);
    let (base, field, id) = (pascal(&one), camel(&one), id_type(&one));
    if kind == 7 {
        pairs(made, keys, &base, id);
        return;
    }
    let name = pascal(format!("{one}_{}", KINDS[kind]).trim_end_matches('_'));
    let parent = format!("\"{field}Id\" {id} NOT NULL");
    let mut columns = vec![
        format!("\"id\" {} NOT NULL", if kind == 0 { id } else { "TEXT" }),
        "\"organizationId\" TEXT NOT NULL".to_owned(),
    ];
    let mut refers = vec![(
        "organizationId".to_owned(),
        "Organization".to_owned(),
        "CASCADE",
    )];
    match kind {
        0 => {
            let _ = writeln!(
                made,
                "CREATE TYPE \"{name}Status\" AS ENUM ('DRAFT', 'ACTIVE', 'ARCHIVED');"
            );
            columns.extend([
                "\"name\" TEXT NOT NULL".to_owned(),
                format!("\"status\" \"{name}Status\" NOT NULL DEFAULT 'DRAFT'"),
                "\"ownerId\" TEXT".to_owned(),
                "\"isPublic\" BOOLEAN NOT NULL DEFAULT false".to_owned(),
                "\"tags\" TEXT[]".to_owned(),
                "\"externalRef\" TEXT".to_owned(),
                "\"amount\" DECIMAL(65,30)".to_owned(),
            ]);
            refers.push(("ownerId".to_owned(), "User".to_owned(), "SET NULL"));
            for salt in ["a", "b"] {
                if let Some(other) = earlier(&format!("{name}{salt}"), number).map(noun) {
                    let column = format!("{}Id", camel(&other));
                    if columns
                        .iter()
                        .any(|known| known.contains(&format!("\"{column}\"")))
                    {
                        continue;
                    }
                    let (null, delete) = if salt == "a" {
                        (" NOT NULL", "RESTRICT")
                    } else {
                        ("", "SET NULL")
                    };
                    columns.push(format!("\"{column}\" {}{null}", id_type(&other)));
                    refers.push((column, pascal(&other), delete));
                }
            }
            if pick(&name, 2) == 0 {
                let _ = writeln!(
                    keys,
                    "CREATE UNIQUE INDEX \"{name}_externalRef_key\" ON \"{name}\"(\"externalRef\");"
                );
            } else {
                let _ = writeln!(
                    keys,
                    "CREATE UNIQUE INDEX \"{name}_organizationId_name_key\" ON \"{name}\"(\"organizationId\", \"name\");"
                );
            }
        }
        1 => {
            columns.extend([
                parent,
                "\"authorId\" TEXT NOT NULL".to_owned(),
                "\"replyToId\" TEXT".to_owned(),
                "\"text\" TEXT NOT NULL".to_owned(),
            ]);
            refers.extend([
                (format!("{field}Id"), base, "CASCADE"),
                ("authorId".to_owned(), "User".to_owned(), "RESTRICT"),
                ("replyToId".to_owned(), name.clone(), "SET NULL"),
            ]);
        }
        2 => {
            columns.remove(1);
            refers.clear();
            columns.extend([
                parent,
                "\"quantity\" INTEGER NOT NULL DEFAULT 1".to_owned(),
                "\"unitPrice\" DECIMAL(12,2) NOT NULL".to_owned(),
            ]);
            refers.push((format!("{field}Id"), base, "CASCADE"));
        }
        3 => {
            columns.extend([
                parent,
                "\"userId\" TEXT NOT NULL".to_owned(),
                "\"role\" \"Role\" NOT NULL".to_owned(),
            ]);
            refers.extend([
                (format!("{field}Id"), base, "CASCADE"),
                ("userId".to_owned(), "User".to_owned(), "CASCADE"),
            ]);
            let _ = writeln!(
                keys,
                "CREATE UNIQUE INDEX \"{name}_{field}Id_userId_key\" ON \"{name}\"(\"{field}Id\", \"userId\");"
            );
        }
        4 => columns.extend([
            format!("\"{field}Id\" {id}"),
            "\"userId\" TEXT".to_owned(),
            "\"action\" TEXT NOT NULL".to_owned(),
            "\"payload\" JSONB NOT NULL DEFAULT '{}'".to_owned(),
        ]),
        5 => {
            columns.extend([
                parent,
                "\"key\" TEXT NOT NULL".to_owned(),
                "\"value\" JSONB".to_owned(),
                "\"notifyUserIds\" TEXT[]".to_owned(),
            ]);
            refers.push((format!("{field}Id"), base, "CASCADE"));
            let _ = writeln!(
                keys,
                "CREATE UNIQUE INDEX \"{name}_{field}Id_key_key\" ON \"{name}\"(\"{field}Id\", \"key\");"
            );
        }
        _ => {
            columns.extend([
                parent,
                "\"number\" SERIAL NOT NULL".to_owned(),
                "\"createdById\" TEXT".to_owned(),
                "\"content\" TEXT NOT NULL".to_owned(),
            ]);
            refers.push((format!("{field}Id"), base, "RESTRICT"));
        }
    }
    columns.push("\"createdAt\" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP".to_owned());
    let _ = writeln!(
        made,
        "-- CreateTable\nCREATE TABLE \"{name}\" (\n    {},\n\n    CONSTRAINT \"{name}_pkey\" PRIMARY KEY (\"id\")\n);\n",
        columns.join(",\n    ")
    );
    for (column, target, delete) in refers {
        let _ = writeln!(
            keys,
            "-- AddForeignKey\nALTER TABLE \"{name}\" ADD CONSTRAINT \"{name}_{column}_fkey\" FOREIGN KEY (\"{column}\") REFERENCES \"{target}\"(\"id\") ON DELETE {delete} ON UPDATE CASCADE;"
        );
    }
}

/// What Prisma makes for many to many.
fn pairs(made: &mut String, keys: &mut String, base: &str, id: &str) {
    let name = format!("_{base}ToUser");
    let _ = writeln!(
        made,
        "CREATE TABLE \"{name}\" (\n    \"A\" {id} NOT NULL,\n    \"B\" TEXT NOT NULL\n);"
    );
    let _ = writeln!(
        keys,
        "CREATE UNIQUE INDEX \"{name}_AB_unique\" ON \"{name}\"(\"A\", \"B\");\nCREATE INDEX \"{name}_B_index\" ON \"{name}\"(\"B\");\n\
         ALTER TABLE \"{name}\" ADD CONSTRAINT \"{name}_A_fkey\" FOREIGN KEY (\"A\") REFERENCES \"{base}\"(\"id\") ON DELETE CASCADE ON UPDATE CASCADE;\n\
         ALTER TABLE \"{name}\" ADD CONSTRAINT \"{name}_B_fkey\" FOREIGN KEY (\"B\") REFERENCES \"User\"(\"id\") ON DELETE CASCADE ON UPDATE CASCADE;"
    );
}
