-- Plumbers within 5 km: the question that the partial index is for. It holds live rows only, and row level security
-- asks for those: explain it as the role that asks, `--role rentfix_app`.
SELECT *
FROM contractors
WHERE ST_DWithin(location_point, ST_SetSRID(ST_MakePoint(-74.006, 40.7128), 4326)::geography, 5000)
  AND specialties @> '["plumbing"]'::jsonb
LIMIT 10
