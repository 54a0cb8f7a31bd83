-- What the French registers define: identifiers with their check digits, and the activity codes.

CREATE FUNCTION crm.luhn_valid(digits text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SECURITY INVOKER
    SET search_path = pg_catalog
AS $$
    -- From the right, every second digit is doubled and its digits summed; the total must end in 0.
    SELECT CASE
        WHEN digits !~ '^[0-9]+$' THEN false
        ELSE (
            SELECT sum(
                CASE WHEN place % 2 = 0 THEN digit::integer * 2 / 10 + digit::integer * 2 % 10
                     ELSE digit::integer
                END
            ) % 10 = 0
            FROM unnest(string_to_array(reverse(digits), NULL)) WITH ORDINALITY AS t (digit, place)
        )
    END
$$;
COMMENT ON FUNCTION crm.luhn_valid(text) IS 'Whether a string of digits ends in the right check digit (ISO/IEC 7812-1, annex B).';

CREATE DOMAIN crm.siren AS text
    CONSTRAINT siren_format CHECK (VALUE ~ '^[0-9]{9}$')
    CONSTRAINT siren_check_digit CHECK (crm.luhn_valid(VALUE));
COMMENT ON DOMAIN crm.siren IS 'Number of a legal unit in the Sirene register: nine digits, the last one a check digit.';

-- La Poste has more establishments than check digits allow: its SIRETs follow a rule of their own.
CREATE DOMAIN crm.siret AS text
    CONSTRAINT siret_format CHECK (VALUE ~ '^[0-9]{14}$')
    CONSTRAINT siret_check_digit CHECK (crm.luhn_valid(VALUE) OR VALUE LIKE '356000000%');
COMMENT ON DOMAIN crm.siret IS 'Number of an establishment: the SIREN of its legal unit, then five digits of its own (the NIC).';

CREATE DOMAIN crm.postal_code AS text
    CONSTRAINT postal_code_format CHECK (VALUE ~ '^[0-9]{5}$');
COMMENT ON DOMAIN crm.postal_code IS 'French postal code, overseas included.';

CREATE TABLE crm.naf_codes (
    code text NOT NULL,
    section text NOT NULL,
    label text NOT NULL,
    CONSTRAINT naf_codes_pkey PRIMARY KEY (code),
    CONSTRAINT naf_codes_code_check CHECK (code ~ '^[0-9]{2}\.[0-9]{2}[A-Z]$'),
    CONSTRAINT naf_codes_section_check CHECK (section ~ '^[A-U]$'),
    CONSTRAINT naf_codes_label_check CHECK (char_length(label) BETWEEN 1 AND 200)
);
COMMENT ON TABLE crm.naf_codes IS 'Shared reference data: activity codes (NAF rév. 2, Insee). Read by every organisation, written by migrations only.';
COMMENT ON COLUMN crm.naf_codes.section IS 'Letter of the section (A to U) that the code belongs to.';

-- No row-level security: the table belongs to nobody.
GRANT SELECT ON crm.naf_codes TO app;

INSERT INTO crm.naf_codes (code, section, label) VALUES
    ('01.21Z', 'A', 'Culture de la vigne'),
    ('10.71C', 'C', 'Boulangerie et boulangerie-pâtisserie'),
    ('20.42Z', 'C', 'Fabrication de parfums et de produits pour la toilette'),
    ('25.62B', 'C', 'Mécanique industrielle'),
    ('26.51A', 'C', 'Fabrication d''équipements d''aide à la navigation'),
    ('30.30Z', 'C', 'Construction aéronautique et spatiale'),
    ('35.11Z', 'D', 'Production d''électricité'),
    ('38.11Z', 'E', 'Collecte des déchets non dangereux'),
    ('41.20A', 'F', 'Construction de maisons individuelles'),
    ('43.21A', 'F', 'Travaux d''installation électrique dans tous locaux'),
    ('43.22A', 'F', 'Travaux d''installation d''eau et de gaz en tous locaux'),
    ('45.11Z', 'G', 'Commerce de voitures et de véhicules automobiles légers'),
    ('46.51Z', 'G', 'Commerce de gros (commerce interentreprises) d''ordinateurs, d''équipements informatiques périphériques et de logiciels'),
    ('47.11F', 'G', 'Hypermarchés'),
    ('47.73Z', 'G', 'Commerce de détail de produits pharmaceutiques en magasin spécialisé'),
    ('47.91A', 'G', 'Vente à distance sur catalogue général'),
    ('49.41A', 'H', 'Transports routiers de fret interurbains'),
    ('52.29B', 'H', 'Affrètement et organisation des transports'),
    ('55.10Z', 'I', 'Hôtels et hébergement similaire'),
    ('56.10A', 'I', 'Restauration traditionnelle'),
    ('58.29C', 'J', 'Edition de logiciels applicatifs'),
    ('61.10Z', 'J', 'Télécommunications filaires'),
    ('62.01Z', 'J', 'Programmation informatique'),
    ('62.02A', 'J', 'Conseil en systèmes et logiciels informatiques'),
    ('62.03Z', 'J', 'Gestion d''installations informatiques'),
    ('63.11Z', 'J', 'Traitement de données, hébergement et activités connexes'),
    ('64.19Z', 'K', 'Autres intermédiations monétaires'),
    ('66.22Z', 'K', 'Activités des agents et courtiers d''assurances'),
    ('68.31Z', 'L', 'Agences immobilières'),
    ('69.10Z', 'M', 'Activités juridiques'),
    ('69.20Z', 'M', 'Activités comptables'),
    ('70.22Z', 'M', 'Conseil pour les affaires et autres conseils de gestion'),
    ('71.12B', 'M', 'Ingénierie, études techniques'),
    ('73.11Z', 'M', 'Activités des agences de publicité'),
    ('78.10Z', 'N', 'Activités des agences de placement de main-d''œuvre'),
    ('80.10Z', 'N', 'Activités de sécurité privée'),
    ('82.20Z', 'N', 'Activités de centres d''appels'),
    ('84.11Z', 'O', 'Administration publique générale'),
    ('85.59A', 'P', 'Formation continue d''adultes'),
    ('86.21Z', 'Q', 'Activité des médecins généralistes'),
    ('90.01Z', 'R', 'Arts du spectacle vivant'),
    ('94.99Z', 'S', 'Autres organisations fonctionnant par adhésion volontaire');
