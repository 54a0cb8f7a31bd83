DROP TABLE crm.naf_codes;
DROP DOMAIN crm.postal_code;
DROP DOMAIN crm.siret;
DROP DOMAIN crm.siren;
DROP FUNCTION crm.luhn_valid(text);
