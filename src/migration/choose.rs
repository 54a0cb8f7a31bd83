//! Which convention a folder follows: what stands in its files and in the project around it counts before names.

use super::convention::{CONVENTIONS, Convention, Fit};
use super::folder::{Folder, relative};
use super::read;
use super::set::{MigrationSet, Reading};
use crate::error::{Error, Result};
use crate::model::nearest;

/// What to make of a folder.
pub(super) enum Chosen {
    /// It has no SQL.
    Nothing,
    /// All of its SQL lies in this folder below.
    Below(String),
    Convention(&'static dyn Convention),
}

/// The convention of a folder: the one that was asked for, else the surest.
pub(super) fn convention(folder: &Folder, reading: &Reading) -> Result<Chosen> {
    if let Some(wanted) = &reading.convention {
        return named(wanted).map(Chosen::Convention);
    }
    if let Some(found) = surest(folder, reading, Fit::Names)? {
        return Ok(Chosen::Convention(found));
    }
    let mut below = folder.sql().map(|file| file.below.first());
    match below.next() {
        None => Ok(Chosen::Nothing),
        Some(Some(name)) if below.all(|other| other == Some(name)) => {
            folder.refuse_circle()?;
            Ok(Chosen::Below(name.clone()))
        }
        Some(_) => Err(mixed(folder)),
    }
}

/// The convention that a file's own text speaks for, or the one that was asked for.
pub(super) fn by_content(
    folder: &Folder,
    reading: &Reading,
) -> Result<Option<&'static dyn Convention>> {
    match &reading.convention {
        Some(wanted) => named(wanted).map(Some),
        None => surest(folder, reading, Fit::Content),
    }
}

/// The convention of this name.
fn named(wanted: &str) -> Result<&'static dyn Convention> {
    let keys: Vec<String> = CONVENTIONS.iter().map(|c| key(*c)).collect();
    let found = CONVENTIONS.iter().find(|c| key(**c) == normal(wanted));
    found.copied().ok_or_else(|| {
        let nearest = nearest(&normal(wanted), keys.iter().map(String::as_str));
        Error::Usage(format!(
            "there is no convention of migrations `{wanted}`; the nearest is `{nearest}`, and there are {}",
            keys.join(", ")
        ))
    })
}

/// As `--convention` takes it.
fn key(convention: &dyn Convention) -> String {
    normal(convention.name())
}

fn normal(name: &str) -> String {
    name.trim().to_lowercase().replace([' ', '_'], "-")
}

/// The convention that fits best, and at least so well. Several that are equally sure by more than names are an error,
/// unless they read the same.
fn surest(
    folder: &Folder,
    reading: &Reading,
    least: Fit,
) -> Result<Option<&'static dyn Convention>> {
    let fits: Vec<(Fit, &'static dyn Convention)> =
        CONVENTIONS.iter().map(|c| (c.fit(folder), *c)).collect();
    let best = fits.iter().map(|(fit, _)| *fit).max().unwrap_or(Fit::No);
    if best < least {
        return Ok(None);
    }
    let mut equal = fits
        .into_iter()
        .filter(|(fit, _)| *fit == best)
        .map(|(_, c)| c);
    let Some(first) = equal.next() else {
        return Ok(None);
    };
    if best > Fit::Names {
        for other in equal {
            let (one, two) = (
                read::by(first, folder, reading),
                read::by(other, folder, reading),
            );
            let same = matches!((&one, &two), (Ok(one), Ok(two)) if reads_the_same(one, two));
            if !same {
                return Err(Error::Usage(format!(
                    "migrations: the files in `{}` may be {}'s or {}'s: say which by --convention {} or --convention {}, or \
                     with `convention` under [migrate] in watertight.toml",
                    relative(&folder.path).display(),
                    first.name(),
                    other.name(),
                    key(first),
                    key(other)
                )));
            }
        }
    }
    Ok(Some(first))
}

fn reads_the_same(one: &MigrationSet, two: &MigrationSet) -> bool {
    one.migrations.len() == two.migrations.len()
        && one.migrations.iter().zip(&two.migrations).all(|(a, b)| {
            (&a.file, &a.script, a.transaction, &a.down)
                == (&b.file, &b.script, b.transaction, &b.down)
        })
}

/// Names two files that don't go together.
fn mixed(folder: &Folder) -> Error {
    let fits = |c: &&dyn Convention, name: &str| {
        let alone = Folder::of_file(&folder.path.join(name));
        c.fit(&alone) > Fit::No
    };
    let names: Vec<&str> = folder.top().map(|file| file.name.as_str()).collect();
    let Some(first) = names.first() else {
        let shown = folder.sql().next().map(|file| relative(&file.path));
        return Error::Usage(format!(
            "migrations: `{}` and other SQL files lie in folders of their own, as no convention has it that is known here; \
             name one folder with --migrations, or set `command` under [migrate] in watertight.toml to what applies them",
            shown.unwrap_or_default().display()
        ));
    };
    let own = CONVENTIONS.iter().find(|c| fits(c, first));
    let other = names.iter().find(|name| own.is_none_or(|c| !fits(c, name)));
    let leave_out = own.map(|c| format!(", or leave it out by --convention {}", key(*c)));
    Error::Usage(format!(
        "migrations: `{}` and `{}` follow different conventions, so their order is unknown; move one of them \
         out of the folder, or name it as the others{}",
        relative(&folder.path.join(first)).display(),
        relative(&folder.path.join(other.unwrap_or(first))).display(),
        leave_out.unwrap_or_default()
    ))
}
