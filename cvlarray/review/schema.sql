-- Statements end with two semicolons: triggers hold single ones.

-- Alerts as they are served. Made anew from alerts.parquet; nothing is kept here alone.
CREATE TABLE alert (
    event_id TEXT PRIMARY KEY,
    alert_hash TEXT NOT NULL,        -- of the row of alerts.parquet: the version that was looked at
    is_current INTEGER NOT NULL,     -- 0 once the alerts no longer have it
    summary TEXT NOT NULL,           -- JSON for the list
    feature TEXT NOT NULL            -- GeoJSON feature with everything known
) WITHOUT ROWID;;

-- One row for each alert and each who may see it, in the order of the list; '' is the operator.
CREATE TABLE queue (
    audience TEXT NOT NULL,
    state TEXT NOT NULL,             -- open, confirmed or dismissed
    urgency INTEGER NOT NULL,        -- 0 high, 1 medium, 2 low, 3 anything else
    worth REAL NOT NULL,             -- minus expected hectares: the largest come first
    event_id TEXT NOT NULL,
    cell_x INTEGER NOT NULL,
    cell_y INTEGER NOT NULL,
    PRIMARY KEY (audience, state, urgency, worth, event_id)
) WITHOUT ROWID;;

CREATE INDEX queue_event ON queue (event_id);;

-- How many there are, for the headings and the map of a million alerts; triggers keep them true.
CREATE TABLE priority_count (
    audience TEXT NOT NULL,
    state TEXT NOT NULL,
    urgency INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (audience, state, urgency)
) WITHOUT ROWID;;

CREATE TABLE cell_count (
    audience TEXT NOT NULL,
    state TEXT NOT NULL,
    cell_x INTEGER NOT NULL,
    cell_y INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (audience, state, cell_x, cell_y)
) WITHOUT ROWID;;

CREATE TRIGGER queue_joined AFTER INSERT ON queue BEGIN
    INSERT INTO priority_count VALUES (NEW.audience, NEW.state, NEW.urgency, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
    INSERT INTO cell_count VALUES (NEW.audience, NEW.state, NEW.cell_x, NEW.cell_y, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
END;;

CREATE TRIGGER queue_left AFTER DELETE ON queue BEGIN
    UPDATE priority_count SET n = n - 1
    WHERE audience = OLD.audience AND state = OLD.state AND urgency = OLD.urgency;
    UPDATE cell_count SET n = n - 1
    WHERE audience = OLD.audience AND state = OLD.state
        AND cell_x = OLD.cell_x AND cell_y = OLD.cell_y;
END;;

CREATE TRIGGER queue_kept BEFORE UPDATE ON queue BEGIN
    SELECT RAISE(ABORT, 'a line of the list is deleted and inserted, so that it is counted');
END;;

-- Who said what, when and why. Rows are added and never touched again; `chain` is the hash of the
-- row and of the chain before it, so that a change made round the triggers shows.
CREATE TABLE verdict (
    verdict_id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    alert_hash TEXT NOT NULL,
    partner TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('confirmed', 'dismissed', 'undone')),
    reason TEXT,
    note TEXT NOT NULL,
    undoes INTEGER UNIQUE REFERENCES verdict (verdict_id),
    request_id TEXT NOT NULL UNIQUE,
    decided_at TEXT NOT NULL,
    chain TEXT NOT NULL
);;

CREATE INDEX verdict_event ON verdict (event_id);;

CREATE TRIGGER verdict_kept BEFORE UPDATE ON verdict BEGIN
    SELECT RAISE(ABORT, 'verdicts are append-only');
END;;

CREATE TRIGGER verdict_stays BEFORE DELETE ON verdict BEGIN
    SELECT RAISE(ABORT, 'verdicts are append-only');
END;;

-- Links that were opened: each opens one session.
CREATE TABLE link (
    link_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    opened_at TEXT NOT NULL
) WITHOUT ROWID
