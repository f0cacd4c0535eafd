-- Which amend took a hold: its hold's item bears the amend's id and not the order's. Few postings have one.
ALTER TABLE postings ADD COLUMN amend_id uuid;
CREATE INDEX postings_by_amend ON postings (amend_id) WHERE amend_id IS NOT NULL;
