//! Migrations that are code: which tool runs them, and the line of configuration that has it do so.

use std::path::Path;

use super::folder::{Folder, relative};

/// A tool that is known by its files: the ending, words that stand in one of them, and its command.
struct Tool {
    name: &'static str,
    endings: &'static [&'static str],
    word: &'static str,
    command: &'static str,
}

const fn tool(
    name: &'static str,
    endings: &'static [&'static str],
    word: &'static str,
    command: &'static str,
) -> Tool {
    Tool {
        name,
        endings,
        word,
        command,
    }
}

const SCRIPTS: &[&str] = &[".ts", ".js", ".mjs", ".cjs", ".mts", ".cts"];

const TOOLS: [Tool; 17] = [
    tool(
        "Django",
        &[".py"],
        "from django.db",
        "python manage.py migrate",
    ),
    tool("Alembic", &[".py"], "alembic", "alembic upgrade head"),
    tool(
        "yoyo",
        &[".py"],
        "yoyo",
        "yoyo apply --batch --database \\\"$DATABASE_URL\\\"",
    ),
    tool(
        "Rails",
        &[".rb"],
        "ActiveRecord::Migration",
        "bin/rails db:migrate",
    ),
    tool(
        "Sequel",
        &[".rb"],
        "Sequel.migration",
        "sequel -m . \\\"$DATABASE_URL\\\"",
    ),
    tool(
        "TypeORM",
        SCRIPTS,
        "MigrationInterface",
        "npx typeorm migration:run -d dist/data-source.js",
    ),
    tool(
        "MikroORM",
        SCRIPTS,
        "@mikro-orm/migrations",
        "npx mikro-orm migration:up",
    ),
    tool("Kysely", SCRIPTS, "Kysely", "npx kysely migrate:latest"),
    tool(
        "Sequelize",
        SCRIPTS,
        "queryInterface",
        "npx sequelize-cli db:migrate --url \\\"$DATABASE_URL\\\"",
    ),
    tool("node-pg-migrate", SCRIPTS, "pgm", "npx node-pg-migrate up"),
    tool("Knex", SCRIPTS, "knex", "npx knex migrate:latest"),
    tool("Ecto", &[".exs"], "Ecto.Migration", "mix ecto.migrate"),
    tool(
        "Laravel",
        &[".php"],
        "Illuminate\\Database\\Migrations",
        "php artisan migrate --force",
    ),
    tool(
        "Doctrine",
        &[".php"],
        "Doctrine\\Migrations",
        "php bin/console doctrine:migrations:migrate --no-interaction",
    ),
    tool(
        "Entity Framework",
        &[".cs"],
        "Microsoft.EntityFrameworkCore.Migrations",
        "dotnet ef database update",
    ),
    tool(
        "SeaORM",
        &[".rs"],
        "MigrationTrait",
        "cargo run -p migration -- up",
    ),
    tool(
        "Liquibase",
        &[".xml", ".yaml", ".yml", ".json"],
        "databaseChangeLog",
        "liquibase --url=\\\"jdbc:postgresql://$PGHOST:$PGPORT/$PGDATABASE\\\" --username=$PGUSER --password=$PGPASSWORD update",
    ),
];

/// Files of a project that say by which tool it migrates, where no folder was named.
const PROJECTS: [(&str, &str); 12] = [
    ("alembic.ini", "Alembic"),
    ("manage.py", "Django"),
    ("knexfile.js", "Knex"),
    ("knexfile.ts", "Knex"),
    ("ormconfig.json", "TypeORM"),
    ("src/data-source.ts", "TypeORM"),
    (".sequelizerc", "Sequelize"),
    ("mikro-orm.config.ts", "MikroORM"),
    ("db/migrate", "Rails"),
    ("priv/repo/migrations", "Ecto"),
    ("artisan", "Laravel"),
    ("liquibase.properties", "Liquibase"),
];

/// What to say of a folder without SQL that holds the migrations of another tool.
pub(super) fn in_folder(folder: &Folder) -> Option<String> {
    TOOLS.iter().find_map(|tool| {
        let file = folder.files.iter().find(|file| {
            tool.endings
                .iter()
                .any(|ending| file.name.ends_with(ending))
                && file.head().contains(tool.word)
        })?;
        Some(answer(tool, &relative(&file.path)))
    })
}

/// What to say where no migrations were named, of a project that has a tool for them.
#[must_use]
pub fn in_project(folder: &Path) -> Option<String> {
    PROJECTS.iter().find_map(|(path, name)| {
        let path = folder.join(path);
        let tool = TOOLS.iter().find(|tool| tool.name == *name)?;
        path.exists().then(|| answer(tool, &relative(&path)))
    })
}

fn answer(tool: &Tool, path: &Path) -> String {
    let rails = if tool.name == "Rails" {
        " (or `path = \"db/structure.sql\"`, where there is one)"
    } else {
        ""
    };
    format!(
        "migrations: `{}` is {}'s, whose migrations only it can run: in watertight.toml, write\n\n[migrate]\ncommand = \
         \"{}\"{rails}\n\nIt is run with DATABASE_URL and the PG… variables of a new database.",
        path.display(),
        tool.name,
        tool.command
    )
}
