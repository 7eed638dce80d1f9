-- What is added up over runs besides counts of events (decision 0062): of the series `runs`, whose value is how many runs have
-- added something, a JSON object of whole numbers. One row, so that a run costs one written row however much it adds to.
ALTER TABLE metric_counters ADD COLUMN sums TEXT
  CHECK (CASE WHEN series = 'runs' THEN sums IS NOT NULL AND json_valid(sums) ELSE sums IS NULL END);
