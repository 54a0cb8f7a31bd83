//! The tables of one FROM, what is equal to what, and which tables that ties.

use crate::model::RelationName;

/// A table, or what stands for one.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) alias: String,
    /// The table, where it is one.
    table: Option<RelationName>,
    /// Columns that are the tenant's id where it is tied.
    pub(super) tenants: Vec<String>,
    /// It is tied where these of its columns are equal to those of that table, which is tied.
    joined: Option<(RelationName, Vec<(String, String)>)>,
    /// Its rows are the tenant's or nobody's.
    pub(super) tied: bool,
}

impl Item {
    fn new(alias: String) -> Self {
        Self {
            alias,
            table: None,
            tenants: Vec::new(),
            joined: None,
            tied: false,
        }
    }

    /// What holds the tenant's rows alone, or rows that are nobody's.
    pub(super) fn own(alias: String, tenants: Vec<String>) -> Self {
        Self {
            tenants,
            tied: true,
            ..Self::new(alias)
        }
    }

    /// What nothing ties.
    pub(super) fn loose(alias: String) -> Self {
        Self::new(alias)
    }

    /// A table with a tenant column.
    pub(super) fn scoped(alias: String, table: RelationName, column: String) -> Self {
        Self {
            table: Some(table),
            tenants: vec![column],
            ..Self::new(alias)
        }
    }

    /// A table whose rows are the tenant's where they are joined to another's.
    pub(super) fn joined(
        alias: String,
        table: RelationName,
        to: RelationName,
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let pairs: Vec<_> = pairs.into_iter().collect();
        Self {
            table: Some(table),
            joined: (!pairs.is_empty()).then_some((to, pairs)),
            ..Self::new(alias)
        }
    }
}

/// One side of an equality.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The tenant's id.
    Tenant,
    /// A column of an item, by its position.
    Column(usize, String),
}

impl Side {
    pub(super) fn item(&self) -> Option<usize> {
        match self {
            Self::Tenant => None,
            Self::Column(item, _) => Some(*item),
        }
    }
}

/// Two sides that are equal in every row in which one of these items takes part.
#[derive(Clone, Debug)]
pub(super) struct Equal {
    pub(super) sides: (Side, Side),
    /// The items that it ties; `None` for all.
    pub(super) ties: Option<Vec<usize>>,
}

/// Marks the items that are tied, until no more is.
pub(super) fn tie(items: &mut [Item], equal: &[Equal]) {
    loop {
        let more = (0..items.len()).find(|at| !items[*at].tied && is_tied(items, equal, *at));
        match more {
            Some(at) => items[at].tied = true,
            None => return,
        }
    }
}

fn is_tied(items: &[Item], equal: &[Equal], at: usize) -> bool {
    let holds = |one: &&Equal| {
        let ties = one.ties.as_ref();
        ties.is_none_or(|ties| ties.contains(&at))
    };
    // The pairs of a column of this item and what it is equal to.
    let pairs = || {
        equal.iter().filter(holds).flat_map(|one| {
            let (a, b) = &one.sides;
            [(a, b), (b, a)]
                .into_iter()
                .filter_map(|(own, other)| match own {
                    Side::Column(item, column) if *item == at => Some((column, other)),
                    _ => None,
                })
        })
    };
    let item = &items[at];
    let by_tenant = pairs().any(|(column, other)| {
        item.tenants.contains(column)
            && match other {
                Side::Tenant => true,
                Side::Column(other, column) => {
                    items[*other].tied && items[*other].tenants.contains(column)
                }
            }
    });
    let by_join = item.joined.as_ref().is_some_and(|(to, columns)| {
        (0..items.len()).any(|parent| {
            items[parent].tied
                && items[parent].table.as_ref() == Some(to)
                && columns.iter().all(|(own, theirs)| {
                    pairs().any(|(column, other)| {
                        column == own && *other == Side::Column(parent, theirs.clone())
                    })
                })
        })
    });
    by_tenant || by_join
}
