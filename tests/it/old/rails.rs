//! `db/structure.sql` of an application in Ruby on Rails: bigint keys, polymorphic pairs, tables of Active Storage.

use std::fmt::Write as _;

use super::{Old, earlier, noun, pick, plural};

/// Tables that come with the framework, and what all accounts read.
const GLOBAL: &str = "
CREATE TABLE public.ar_internal_metadata (key character varying NOT NULL, value character varying, created_at timestamp(6) without time zone NOT NULL, updated_at timestamp(6) without time zone NOT NULL);
CREATE TABLE public.schema_migrations (version character varying NOT NULL);
CREATE TABLE public.countries (id bigint NOT NULL, code character varying(2) NOT NULL, name character varying NOT NULL);
CREATE TABLE public.plans (id bigint NOT NULL, name character varying NOT NULL, price_cents integer DEFAULT 0 NOT NULL);
CREATE TABLE public.active_storage_blobs (id bigint NOT NULL, key character varying NOT NULL, filename character varying NOT NULL, content_type character varying, metadata text, service_name character varying NOT NULL, byte_size bigint NOT NULL, checksum character varying, created_at timestamp(6) without time zone NOT NULL);
CREATE TABLE public.active_storage_attachments (id bigint NOT NULL, name character varying NOT NULL, record_type character varying NOT NULL, record_id bigint NOT NULL, blob_id bigint NOT NULL, created_at timestamp(6) without time zone NOT NULL);
CREATE TABLE public.accounts (id bigint NOT NULL, name character varying NOT NULL, subdomain character varying NOT NULL, plan_id bigint, owner_id bigint, created_at timestamp(6) without time zone NOT NULL, updated_at timestamp(6) without time zone NOT NULL);
CREATE TABLE public.users (id bigint NOT NULL, account_id bigint NOT NULL, email character varying DEFAULT ''::character varying NOT NULL, encrypted_password character varying NOT NULL, reset_password_token character varying, role integer DEFAULT 0 NOT NULL, invited_by_id bigint, created_at timestamp(6) without time zone NOT NULL, updated_at timestamp(6) without time zone NOT NULL);
";

const GLOBAL_TABLES: [&str; 6] = [
    "countries",
    "plans",
    "active_storage_blobs",
    "active_storage_attachments",
    "accounts",
    "users",
];

const GLOBAL_KEYS: &str = "
ALTER TABLE ONLY public.ar_internal_metadata ADD CONSTRAINT ar_internal_metadata_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.schema_migrations ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);
CREATE UNIQUE INDEX index_accounts_on_subdomain ON public.accounts USING btree (subdomain);
CREATE UNIQUE INDEX index_users_on_email ON public.users USING btree (email);
CREATE UNIQUE INDEX index_users_on_reset_password_token ON public.users USING btree (reset_password_token);
CREATE UNIQUE INDEX index_active_storage_blobs_on_key ON public.active_storage_blobs USING btree (key);
ALTER TABLE ONLY public.users ADD CONSTRAINT fk_rails_users_account FOREIGN KEY (account_id) REFERENCES public.accounts(id);
ALTER TABLE ONLY public.accounts ADD CONSTRAINT fk_rails_accounts_plan FOREIGN KEY (plan_id) REFERENCES public.plans(id);
ALTER TABLE ONLY public.accounts ADD CONSTRAINT fk_rails_accounts_owner FOREIGN KEY (owner_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.users ADD CONSTRAINT fk_rails_users_invited FOREIGN KEY (invited_by_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.active_storage_attachments ADD CONSTRAINT fk_rails_blob FOREIGN KEY (blob_id) REFERENCES public.active_storage_blobs(id);
";

const KINDS: [&str; 8] = [
    "",
    "comment",
    "item",
    "membership",
    "event",
    "setting",
    "version",
    "attachment",
];

pub(super) fn schema(tables: usize) -> Old {
    let mut made = String::from(
        "SET statement_timeout = 0;\nSET client_encoding = 'UTF8';\nSET check_function_bodies = false;\n",
    );
    made.push_str(GLOBAL);
    let mut keys = String::new();
    for table in GLOBAL_TABLES {
        identity(&mut made, &mut keys, table);
    }
    keys.push_str(GLOBAL_KEYS);
    for number in 0..tables.saturating_sub(8) {
        table(
            &mut made,
            &mut keys,
            number / KINDS.len(),
            number % KINDS.len(),
        );
    }
    keys.push_str("\nINSERT INTO \"schema_migrations\" (version) VALUES\n('20240102030405'),\n('20230102030405');\n");
    Old {
        style: "rails",
        tenant_column: "account_id",
        files: vec![("db/structure.sql".to_owned(), format!("{made}{keys}"))],
    }
}

/// The sequence and primary key of a table.
fn identity(made: &mut String, keys: &mut String, table: &str) {
    let _ = writeln!(
        made,
        "CREATE SEQUENCE public.{table}_id_seq START WITH 1 INCREMENT BY 1 NO MINVALUE NO MAXVALUE CACHE 1;\n\
         ALTER SEQUENCE public.{table}_id_seq OWNED BY public.{table}.id;\n\
         ALTER TABLE ONLY public.{table} ALTER COLUMN id SET DEFAULT nextval('public.{table}_id_seq'::regclass);"
    );
    let _ = writeln!(
        keys,
        "ALTER TABLE ONLY public.{table} ADD CONSTRAINT {table}_pkey PRIMARY KEY (id);"
    );
}

fn table(made: &mut String, keys: &mut String, number: usize, kind: usize) {
    let (one, owner) = (noun(number), "account_id bigint NOT NULL");
    let base = plural(&one);
    let name = if kind == 0 {
        base.clone()
    } else {
        plural(&format!("{one}_{}", KINDS[kind]))
    };
    let parent = format!("{one}_id");
    let mut refers: Vec<(String, String)> = vec![("account_id".to_owned(), "accounts".to_owned())];
    let mut columns: Vec<String> = vec![owner.to_owned()];
    let other = |salt: &str| earlier(&format!("{name}{salt}"), number).map(noun);
    match kind {
        0 => {
            columns.extend(
                [
                    "name character varying NOT NULL",
                    "slug character varying",
                    "status integer DEFAULT 0 NOT NULL",
                    "user_id bigint",
                    "position integer",
                    "amount_cents bigint DEFAULT 0 NOT NULL",
                    "currency character varying(3) DEFAULT 'EUR'::character varying NOT NULL",
                    "metadata jsonb DEFAULT '{}'::jsonb NOT NULL",
                    "deleted_at timestamp(6) without time zone",
                ]
                .map(str::to_owned),
            );
            refers.push(("user_id".to_owned(), "users".to_owned()));
            if let Some(first) = other("a") {
                columns.push(format!("{first}_id bigint NOT NULL"));
                refers.push((format!("{first}_id"), plural(&first)));
            }
            if let Some(second) = other("b").filter(|second| Some(second) != other("a").as_ref()) {
                columns.push(format!("{second}_id bigint"));
                refers.push((format!("{second}_id"), plural(&second)));
            }
            let over = if pick(&name, 3) == 0 {
                "slug"
            } else {
                "account_id, slug"
            };
            let _ = writeln!(
                keys,
                "CREATE UNIQUE INDEX index_{name}_on_slug ON public.{name} USING btree ({over});"
            );
        }
        1 => columns.extend([
            format!("{parent} bigint NOT NULL"),
            "user_id bigint NOT NULL".to_owned(),
            "commentable_type character varying".to_owned(),
            "commentable_id bigint".to_owned(),
            "body text NOT NULL".to_owned(),
            "parent_id bigint".to_owned(),
        ]),
        2 => {
            columns = vec![
                format!("{parent} bigint NOT NULL"),
                "quantity integer DEFAULT 1 NOT NULL".to_owned(),
                "unit_price numeric(10,2) NOT NULL".to_owned(),
                "title character varying".to_owned(),
            ];
            refers.clear();
            if let Some(first) = other("a") {
                columns.push(format!("{first}_id bigint"));
                refers.push((format!("{first}_id"), plural(&first)));
            }
        }
        3 => columns.extend([
            format!("{parent} bigint NOT NULL"),
            "user_id bigint NOT NULL".to_owned(),
            "role character varying DEFAULT 'viewer'::character varying NOT NULL".to_owned(),
        ]),
        // Nothing holds what events name.
        4 => columns.extend([
            format!("{parent} bigint"),
            "actor_id bigint".to_owned(),
            "actor_type character varying".to_owned(),
            "action character varying NOT NULL".to_owned(),
            "payload jsonb".to_owned(),
            "ip inet".to_owned(),
        ]),
        5 => columns.extend([
            format!("{parent} bigint NOT NULL"),
            "enabled boolean DEFAULT true NOT NULL".to_owned(),
            "notify_user_ids bigint[] DEFAULT '{}'::bigint[]".to_owned(),
            "limit_per_day integer".to_owned(),
        ]),
        6 => columns.extend([
            "item_type character varying NOT NULL".to_owned(),
            "item_id bigint NOT NULL".to_owned(),
            "event character varying NOT NULL".to_owned(),
            "whodunnit character varying".to_owned(),
            "object jsonb".to_owned(),
        ]),
        _ => columns.extend([
            format!("{parent} bigint NOT NULL"),
            "uploaded_by_id bigint".to_owned(),
            "filename character varying NOT NULL".to_owned(),
            "token character varying NOT NULL".to_owned(),
            "byte_size bigint".to_owned(),
        ]),
    }
    if matches!(kind, 1 | 2 | 3 | 5 | 7) {
        refers.push((parent.clone(), base));
    }
    if matches!(kind, 1 | 3) {
        refers.push(("user_id".to_owned(), "users".to_owned()));
    }
    match kind {
        1 => refers.push(("parent_id".to_owned(), name.clone())),
        3 => {
            let _ = writeln!(
                keys,
                "CREATE UNIQUE INDEX index_{name}_on_both ON public.{name} USING btree ({parent}, user_id);"
            );
        }
        5 => {
            let _ = writeln!(
                keys,
                "CREATE UNIQUE INDEX index_{name}_on_{one} ON public.{name} USING btree ({parent});"
            );
            let _ = writeln!(
                keys,
                "ALTER TABLE public.{name} ADD CONSTRAINT check_{name}_limit CHECK (((limit_per_day IS NULL) OR (limit_per_day > 0)));"
            );
        }
        7 => {
            let _ = writeln!(
                keys,
                "CREATE UNIQUE INDEX index_{name}_on_token ON public.{name} USING btree (token);"
            );
            refers.push(("uploaded_by_id".to_owned(), "users".to_owned()));
        }
        _ => {}
    }
    columns.push("created_at timestamp(6) without time zone NOT NULL".to_owned());
    if !matches!(kind, 4 | 6) {
        columns.push("updated_at timestamp(6) without time zone NOT NULL".to_owned());
    }
    let _ = writeln!(
        made,
        "\nCREATE TABLE public.{name} (\n    id bigint NOT NULL,\n    {}\n);",
        columns.join(",\n    ")
    );
    identity(made, keys, &name);
    for (column, target) in refers {
        let tag = format!(
            "{:010x}",
            pick(&format!("{name}.{column}"), usize::MAX) & 0xff_ffff_ffff
        );
        let _ = writeln!(
            keys,
            "CREATE INDEX index_{name}_on_{column} ON public.{name} USING btree ({column});"
        );
        let _ = writeln!(
            keys,
            "ALTER TABLE ONLY public.{name} ADD CONSTRAINT fk_rails_{tag} FOREIGN KEY ({column}) REFERENCES public.{target}(id);"
        );
    }
}
