DROP TABLE crm.positions;
DROP TABLE crm.people;
DROP TABLE crm.establishments;
DROP TABLE crm.companies;
DROP TABLE crm.imports;
DROP TYPE crm.civility;
DROP TYPE crm.import_state;
