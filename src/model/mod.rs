//! The data of the house: plain types that every room may know and that know no room.

mod attacked;
mod case;
mod catalog;
mod clause;
mod counterexample;
mod dataset;
mod datum;
mod finding;
mod focus;
mod glob;
mod held;
mod hexadecimal;
mod json;
mod mutation;
mod name;
mod nearest;
mod query;
mod regression;
mod report;
mod samples;
mod satisfied;
mod script;
mod seeding;
mod settings;
mod tenancy;
mod token;
mod trial;
mod wish;

pub use attacked::{Actor, Attacked, Explained};
pub use case::{
    Attempt, Case, Context, Defect, Observation, Output, Purpose, Refusal, Session, Stage, Verdict,
};
pub use catalog::{
    Action, Catalog, CheckConstraint, Column, Definer, ForeignKey, Generated, Index, IndexKey,
    Policy, Publication, Role, Sequence, Table, Type, TypeKind, View,
};
pub use counterexample::{Counterexample, ShrinkLimits};
pub use dataset::{Canary, Cell, Dataset, Rows, WorldKind, Worlds, insert, value};
pub use datum::{Datum, Kind};
pub use finding::{Finding, Inconclusive, Place, Severity};
pub use focus::Focus;
pub use glob::glob;
pub(crate) use hexadecimal::hexadecimal;
pub use json::{ANY_KEY, JsonPaths, JsonUse, json_at, json_key, json_with};
pub use mutation::{Equivalent, Fate, Mutation, Named, Notice, Tried};
pub use name::{RelationName, literal, printed, quoted, quoted_list, split_dotted};
pub use nearest::nearest;
pub use query::{LOOKING, Query, QueryTenant, Returns};
pub use regression::{Regression, StoredRow};
pub use report::{
    Coverage, DatasetFacts, Mistake, Report, RunVerdict, SchemaFacts, ServerFacts, Tally, Timings,
    UnmetBranch,
};
pub use satisfied::{Means, Satisfied};
pub use script::{ScriptError, Statement, split, split_psql};
pub use seeding::{
    Loaded, late_columns, late_update, others_first, permuted, planner, together, without,
};
pub use settings::{
    Allow, GenerateSettings, MigrateAs, MigrateSettings, QuerySettings, ReportFile, RunSettings,
    ServerText, Settings, Shard, StubRoles, TenantSettings,
};
pub use tenancy::{Access, Class, NullMeans, Tenancy};
pub use token::{Token, TokenKind, Tokens, Unterminated};
pub use trial::{Candidate, Condition, Judgement, Question};
pub use wish::{Want, Whose, Wish};
