-- Statements end with two semicolons: triggers hold single ones.

-- How often anything was written: what was answered before is right until this changes.
CREATE TABLE generation (n INTEGER NOT NULL);;
INSERT INTO generation VALUES (0);;

-- What points of a sample are, as somebody who doesn't know the map's class says. Rows are added
-- and never touched again; of a point the last one counts.
CREATE TABLE sample_label (
    label_id INTEGER PRIMARY KEY AUTOINCREMENT,
    point_id TEXT NOT NULL,
    label TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    request_id TEXT NOT NULL UNIQUE,
    labelled_at TEXT NOT NULL
);;

CREATE TRIGGER label_kept BEFORE UPDATE ON sample_label BEGIN
    SELECT RAISE(ABORT, 'labels are append-only');
END;;

CREATE TRIGGER label_stays BEFORE DELETE ON sample_label BEGIN
    SELECT RAISE(ABORT, 'labels are append-only');
END
