-- Statements end with two semicolons: triggers hold single ones.

-- What is listed, to tell what a new day changes without reading what is served of a million alerts.
CREATE INDEX alert_listed ON alert (event_id, alert_hash) WHERE is_current = 1
