//! SELECT … FROM … WHERE …: its tables, their joins, and its columns.

use sqlparser::ast::{
    BinaryOperator, Expr, Join, JoinConstraint, JoinOperator, Query as Select, Select as Block,
    SelectItem, SelectItemQualifiedWildcardKind, TableAliasColumnDef, TableFactor, TableWithJoins,
};

use super::equal::{Equal, Item, Side, tie};
use super::{Returned, Tying, folded, renamed};

/// The tables of a FROM, and what is known of them.
#[derive(Default)]
pub(super) struct From {
    pub(super) items: Vec<Item>,
    pub(super) equal: Vec<Equal>,
    /// FULL JOINs: their condition, the items on the left, the one on the right.
    full: Vec<(Expr, Vec<usize>, usize)>,
    /// Queries that may name what stands before them, with the names of their columns.
    lateral: Vec<(usize, Select, Vec<TableAliasColumnDef>)>,
    /// The conditions of joins.
    conditions: Vec<Expr>,
}

impl Tying<'_> {
    pub(super) fn block(&mut self, block: &Block, around: &[Item]) -> Returned {
        let mut from = From::default();
        self.sources(&block.from, around, &mut from);
        self.settle(&mut from, block.selection.as_ref(), around);
        let inside = from.around(around);
        self.subqueries(&block.projection, &inside);
        self.subqueries(&block.selection, &inside);
        self.subqueries(&block.having, &inside);
        self.subqueries(&block.group_by, &inside);
        self.subqueries(&block.distinct, &inside);
        self.subqueries(&block.named_window, &inside);
        self.columns(&block.projection, &from.items, around)
    }

    /// Notes the tables of a FROM and the conditions of its joins.
    pub(super) fn sources(&mut self, list: &[TableWithJoins], around: &[Item], from: &mut From) {
        for source in list {
            let first = from.items.len();
            self.factor(&source.relation, around, from);
            for join in &source.joins {
                let left: Vec<usize> = (first..from.items.len()).collect();
                self.factor(&join.relation, around, from);
                self.join(join, &left, around, from);
            }
        }
    }

    fn factor(&mut self, factor: &TableFactor, around: &[Item], from: &mut From) {
        let named = |alias: &Option<sqlparser::ast::TableAlias>| {
            alias.as_ref().map(|alias| folded(&alias.name))
        };
        let item = match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => self.relation(name, named(alias)),
            TableFactor::Derived {
                lateral,
                subquery,
                alias,
                ..
            } => {
                let columns = alias.as_ref().map_or(&[][..], |alias| &alias.columns);
                let mut tenants = Vec::new();
                if *lateral {
                    // Read when it is known what is tied of what it names.
                    let own = subquery.as_ref().clone();
                    from.lateral.push((from.items.len(), own, columns.to_vec()));
                } else {
                    tenants = renamed(self.query(subquery, around), columns).tenants();
                }
                Item::own(named(alias).unwrap_or_default(), tenants)
            }
            TableFactor::Table { name, alias, .. } | TableFactor::Function { name, alias, .. } => {
                // What the server comes with reads no table.
                let last = name.0.last().and_then(|part| part.as_ident().map(folded));
                let own = last.is_none_or(|name| self.catalog.functions.contains_key(&name));
                let alias = named(alias).unwrap_or_default();
                self.subqueries(factor, &from.around(around));
                if own {
                    Item::loose(alias)
                } else {
                    Item::own(alias, Vec::new())
                }
            }
            TableFactor::UNNEST { alias, .. } => {
                self.subqueries(factor, &from.around(around));
                Item::own(named(alias).unwrap_or_default(), Vec::new())
            }
            _ => Item::loose(String::new()),
        };
        from.items.push(item);
    }

    fn join(&mut self, join: &Join, left: &[usize], around: &[Item], from: &mut From) {
        let right = from.items.len() - 1;
        if let JoinOperator::Join(JoinConstraint::On(on))
        | JoinOperator::Inner(JoinConstraint::On(on))
        | JoinOperator::Left(JoinConstraint::On(on))
        | JoinOperator::LeftOuter(JoinConstraint::On(on))
        | JoinOperator::Right(JoinConstraint::On(on))
        | JoinOperator::RightOuter(JoinConstraint::On(on))
        | JoinOperator::FullOuter(JoinConstraint::On(on)) = &join.join_operator
        {
            from.conditions.push(on.clone());
        }
        let (constraint, ties) = match &join.join_operator {
            JoinOperator::Join(on) | JoinOperator::Inner(on) => (on, None),
            JoinOperator::CrossJoin(_) => return,
            JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => (on, Some(vec![right])),
            JoinOperator::Right(on) | JoinOperator::RightOuter(on) => (on, Some(left.to_vec())),
            JoinOperator::FullOuter(JoinConstraint::On(on)) => {
                from.full.push((on.clone(), left.to_vec(), right));
                return;
            }
            _ => {
                self.loose = true;
                return;
            }
        };
        match constraint {
            JoinConstraint::On(on) => {
                let equal = self.equalities(on, ties.as_deref(), &from.items, around);
                from.equal.extend(equal);
            }
            JoinConstraint::Using(columns) => {
                for column in columns {
                    let name = column.0.last().and_then(|part| part.as_ident().map(folded));
                    let name = name.unwrap_or_default();
                    for other in left {
                        if from.items[*other].tenants.contains(&name) {
                            from.equal.push(Equal {
                                sides: (
                                    Side::Column(*other, name.clone()),
                                    Side::Column(right, name.clone()),
                                ),
                                ties: ties.clone(),
                            });
                        }
                    }
                }
            }
            JoinConstraint::Natural | JoinConstraint::None => {}
        }
    }

    /// Adds a WHERE, ties what can be tied, and notes what is loose.
    pub(super) fn settle(&mut self, from: &mut From, condition: Option<&Expr>, around: &[Item]) {
        let strict = condition.map_or_else(Vec::new, |condition| {
            self.equalities(condition, None, &from.items, around)
        });
        let wanted: Vec<usize> = strict
            .iter()
            .flat_map(|one| [one.sides.0.item(), one.sides.1.item()])
            .flatten()
            .collect();
        from.equal.extend(strict);
        for (on, left, right) in std::mem::take(&mut from.full) {
            let mut ties = Vec::new();
            // Where WHERE wants a row of the left, a row of the right comes with one, or not at all.
            if left.iter().any(|item| wanted.contains(item)) {
                ties.push(right);
            }
            if wanted.contains(&right) {
                ties.extend(&left);
            }
            let equal = self.equalities(&on, Some(&ties), &from.items, around);
            from.equal.extend(equal);
        }
        tie(&mut from.items, &from.equal);
        for (at, query, columns) in std::mem::take(&mut from.lateral) {
            let returned = self.query(&query, &from.around(around));
            from.items[at].tenants = renamed(returned, &columns).tenants();
            tie(&mut from.items, &from.equal);
        }
        self.subqueries(&from.conditions, &from.around(around));
        self.loose |= from.items.iter().any(|item| !item.tied);
    }

    /// The equalities that a condition is made of.
    pub(super) fn equalities(
        &self,
        condition: &Expr,
        ties: Option<&[usize]>,
        items: &[Item],
        around: &[Item],
    ) -> Vec<Equal> {
        match condition {
            Expr::Nested(inner) => self.equalities(inner, ties, items, around),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                let mut all = self.equalities(left, ties, items, around);
                all.extend(self.equalities(right, ties, items, around));
                all
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => {
                let pairs: Vec<(&Expr, &Expr)> = match (left.as_ref(), right.as_ref()) {
                    (Expr::Tuple(left), Expr::Tuple(right)) => left.iter().zip(right).collect(),
                    (left, right) => vec![(left, right)],
                };
                let sides = pairs.into_iter().filter_map(|(left, right)| {
                    let sides = (
                        self.side(left, items, around)?,
                        self.side(right, items, around)?,
                    );
                    Some(Equal {
                        sides,
                        ties: ties.map(<[usize]>::to_vec),
                    })
                });
                sides.collect()
            }
            _ => Vec::new(),
        }
    }

    /// What stands on one side of an equality, where it matters.
    pub(super) fn side(&self, expr: &Expr, items: &[Item], around: &[Item]) -> Option<Side> {
        if self.is_parameter(expr) {
            return Some(Side::Tenant);
        }
        match expr {
            Expr::Nested(inner) => self.side(inner, items, around),
            Expr::CompoundIdentifier(parts) => {
                let column = folded(parts.last()?);
                let alias = folded(parts.get(parts.len().checked_sub(2)?)?);
                if let Some(at) = items.iter().position(|item| item.alias == alias) {
                    return Some(Side::Column(at, column));
                }
                let outer = around.iter().rev().find(|item| item.alias == alias)?;
                (outer.tied && outer.tenants.contains(&column)).then_some(Side::Tenant)
            }
            Expr::Identifier(name) => {
                let column = folded(name);
                let mut of = (0..items.len()).filter(|at| items[*at].tenants.contains(&column));
                match (of.next(), of.next()) {
                    (Some(at), None) => Some(Side::Column(at, column)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether an expression is the tenant's id in every row.
    pub(super) fn is_tenant(&self, expr: &Expr, items: &[Item], around: &[Item]) -> bool {
        match self.side(expr, items, around) {
            Some(Side::Tenant) => true,
            Some(Side::Column(at, column)) => items[at].tied && items[at].tenants.contains(&column),
            None => false,
        }
    }

    /// What a list of columns returns.
    pub(super) fn columns(&self, list: &[SelectItem], items: &[Item], around: &[Item]) -> Returned {
        let mut columns = Vec::new();
        let mut star = false;
        for item in list {
            match item {
                SelectItem::ExprWithAlias { expr, alias } => {
                    columns.push((folded(alias), self.is_tenant(expr, items, around)));
                }
                SelectItem::UnnamedExpr(expr) => {
                    let name = match expr {
                        Expr::Identifier(name) => folded(name),
                        Expr::CompoundIdentifier(parts) => {
                            parts.last().map(folded).unwrap_or_default()
                        }
                        _ => String::new(),
                    };
                    columns.push((name, self.is_tenant(expr, items, around)));
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) => {
                    let alias = name.0.last().and_then(|part| part.as_ident().map(folded));
                    let of = items
                        .iter()
                        .filter(|item| Some(&item.alias) == alias.as_ref());
                    columns.extend(all_columns(of));
                    star = true;
                }
                SelectItem::Wildcard(_) => {
                    columns.extend(all_columns(items.iter()));
                    star = true;
                }
                _ => columns.push((String::new(), false)),
            }
        }
        Returned { columns, star }
    }
}

fn all_columns<'i>(items: impl Iterator<Item = &'i Item>) -> Vec<(String, bool)> {
    let tied = items.filter(|item| item.tied);
    tied.flat_map(|item| item.tenants.iter().map(|column| (column.clone(), true)))
        .collect()
}

impl From {
    /// The tables that a query inside of this one can name.
    pub(super) fn around(&self, around: &[Item]) -> Vec<Item> {
        let mut all = around.to_vec();
        all.extend(self.items.iter().cloned());
        all
    }
}
