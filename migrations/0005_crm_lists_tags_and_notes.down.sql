DROP TABLE crm.notes;
DROP TABLE crm.list_members;
DROP TABLE crm.lists;
DROP TABLE crm.person_tags;
DROP TABLE crm.tags;
DROP TYPE crm.list_kind;
