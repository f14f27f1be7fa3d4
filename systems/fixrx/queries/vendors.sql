-- The vendors of one category.
SELECT * FROM vendors WHERE service_categories @> ARRAY['plumbing']
