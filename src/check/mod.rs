//! The checks: one file each under `checks/`, named after the defect that it finds.
//!
//! A check plans cases from the catalog, the tenancy and the worlds, and judges what came of them. It knows no
//! database: what it wants tried stands in the case.

mod aftermath;
mod again;
mod analogy;
mod arms;
mod attempts;
mod broken;
mod checks;
pub mod coverage;
mod crossing;
mod crowd;
mod difference;
mod documents;
mod door;
mod evidence;
pub mod explain;
mod log;
mod loose;
mod mended;
mod nouns;
mod page;
mod pair;
mod policy;
mod predicate;
mod reference;
mod reproduction;
mod row;
mod sample;
mod scan;
mod shadow;
mod ways;
mod witness;
mod writes;

pub use again::is_guardable;
pub use attempts::{LAYOUTS, WORLDS};
pub use checks::ALL;
pub(crate) use crossing::count as crossing_rows;
pub use page::Page;
pub use shadow::shadow_policies;
pub use witness::not_ours;

use crate::model::{
    Case, Catalog, Cell, Focus, Observation, Query, Stage, Table, Tenancy, Verdict, Worlds,
};

/// What a check sees.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The schema.
    pub catalog: &'a Catalog,
    /// Whose rows are whose.
    pub tenancy: &'a Tenancy,
    /// The rows.
    pub worlds: &'a Worlds,
    /// The application's queries.
    pub queries: &'a [Query],
    /// The objects that cases are planned for; a plan may have others too.
    pub focus: &'a Focus,
}

impl<'a> Scene<'a> {
    /// The tables that cases are planned for.
    fn tables(self) -> impl Iterator<Item = &'a Table> {
        let tables = self.catalog.roots();
        tables.filter(move |table| self.focus.concerns(&table.name))
    }

    /// The query of this name.
    pub(crate) fn query(self, object: &str) -> Option<&'a Query> {
        self.queries.iter().find(|query| query.object == object)
    }
}

/// One way in which rows can cross tenants.
pub trait Check: Sync {
    /// What it checks, why that leaks, an example and a fix.
    fn page(&self) -> Page;

    /// The attempts to make; one case for each object and way.
    fn plan(&self, scene: Scene<'_>) -> Vec<Case>;

    /// The verdict of one of its cases; the observations are in the order of the case's attempts.
    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict;

    /// For a case that leaked: a case that can be run in smaller worlds than the scene's, and is judged with them in the
    /// scene. It leaks where they show the same. `None` where the rows of a world play no part.
    fn smaller(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Option<Case> {
        let _ = (scene, case, seen);
        None
    }

    /// What a case that leaked in the scene's few rows shows, as a diff of its worlds; empty where there are none.
    fn difference(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> String {
        let _ = (scene, case, seen);
        String::new()
    }

    /// The values that a case for smaller worlds binds: with its rows, what is stored of it.
    fn bound(&self, scene: Scene<'_>, case: &Case) -> Vec<Cell> {
        let _ = (scene, case);
        Vec::new()
    }

    /// A stored leak as a case for the scene's worlds: everyone else's rows are there in `stage`. `None` where there is
    /// no such object any more, or it takes other values.
    fn stored(
        &self,
        scene: Scene<'_>,
        object: &str,
        stage: Stage,
        values: &[Cell],
    ) -> Option<Case> {
        let _ = (scene, object, stage, values);
        None
    }
}

/// The check of this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static dyn Check> {
    ALL.iter().copied().find(|check| check.page().id == id)
}
