-- A GeoPackage 1.4: any GIS, GDAL, DuckDB or plain SQLite reads it.
-- What is observed and what was made of it, for ever: acquisition, event_version.
-- What the next acquisition goes on from, made anew whenever it is lost: event_head, patch, patch_box.

CREATE TABLE gpkg_spatial_ref_sys (
    srs_name TEXT NOT NULL,
    srs_id INTEGER PRIMARY KEY,
    organization TEXT NOT NULL,
    organization_coordsys_id INTEGER NOT NULL,
    definition TEXT NOT NULL,
    description TEXT
);
INSERT INTO gpkg_spatial_ref_sys VALUES
    ('Undefined Cartesian', -1, 'NONE', -1, 'undefined', NULL),
    ('Undefined geographic', 0, 'NONE', 0, 'undefined', NULL),
    ('WGS 84', 4326, 'EPSG', 4326,
     'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]]',
     NULL);

CREATE TABLE gpkg_contents (
    table_name TEXT NOT NULL PRIMARY KEY,
    data_type TEXT NOT NULL,
    identifier TEXT UNIQUE,
    description TEXT DEFAULT '',
    last_change DATETIME NOT NULL,
    min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
    srs_id INTEGER REFERENCES gpkg_spatial_ref_sys (srs_id)
);
CREATE TABLE gpkg_geometry_columns (
    table_name TEXT NOT NULL UNIQUE REFERENCES gpkg_contents (table_name),
    column_name TEXT NOT NULL,
    geometry_type_name TEXT NOT NULL,
    srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys (srs_id),
    z TINYINT NOT NULL,
    m TINYINT NOT NULL,
    PRIMARY KEY (table_name, column_name)
);
INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) VALUES
    ('event', 'features', 'event', 'every event as it is known now', '1970-01-01T00:00:00.000Z', 4326),
    ('event_version', 'features', 'event_version', 'every version of every event, in the order written', '1970-01-01T00:00:00.000Z', 4326);
INSERT INTO gpkg_geometry_columns VALUES
    ('event', 'geometry', 'GEOMETRY', 4326, 0, 0),
    ('event_version', 'geometry', 'GEOMETRY', 4326, 0, 0);

CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE acquisition (
    id INTEGER PRIMARY KEY,
    date DATE NOT NULL,
    sensor TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest TEXT NOT NULL,
    pixels BLOB NOT NULL,
    UNIQUE (date, sensor, revision)
);

CREATE TABLE event_version (
    fid INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    acquisition DATE NOT NULL,
    state TEXT NOT NULL,
    change TEXT NOT NULL,
    class TEXT NOT NULL,
    confidence REAL,
    first_detected DATE NOT NULL,
    confirmed DATE,
    interval_start DATE,
    interval_end DATE NOT NULL,
    area_m2 REAL NOT NULL,
    area_uncertainty_m2 REAL NOT NULL,
    magnitude REAL,
    n_pixels INTEGER NOT NULL,
    sensor TEXT NOT NULL,
    needs_review BOOLEAN NOT NULL,
    parents TEXT NOT NULL,
    children TEXT NOT NULL,
    geometry BLOB NOT NULL,
    UNIQUE (event_id, version)
);
CREATE TRIGGER event_version_is_never_changed BEFORE UPDATE ON event_version
    BEGIN SELECT RAISE (ABORT, 'versions of events are never changed'); END;
CREATE TRIGGER event_version_is_never_deleted BEFORE DELETE ON event_version
    BEGIN SELECT RAISE (ABORT, 'versions of events are never deleted'); END;
CREATE TRIGGER acquisition_is_never_changed BEFORE UPDATE ON acquisition
    BEGIN SELECT RAISE (ABORT, 'acquisitions are never changed'); END;
CREATE TRIGGER acquisition_is_never_deleted BEFORE DELETE ON acquisition
    BEGIN SELECT RAISE (ABORT, 'acquisitions are never deleted'); END;

CREATE TABLE event_head (
    event_id TEXT NOT NULL PRIMARY KEY,
    fid INTEGER NOT NULL REFERENCES event_version (fid),
    version INTEGER NOT NULL,
    revision INTEGER NOT NULL
) WITHOUT ROWID;
CREATE VIEW event AS SELECT v.* FROM event_head h JOIN event_version v
    ON v.fid = h.fid AND v.event_id = h.event_id;

CREATE TABLE patch (
    key INTEGER PRIMARY KEY,
    event_id TEXT UNIQUE,
    anchor_row INTEGER NOT NULL,
    anchor_col INTEGER NOT NULL,
    born INTEGER NOT NULL,
    is_confirmed INTEGER NOT NULL,
    n_shown INTEGER NOT NULL,
    parents TEXT NOT NULL,
    children TEXT NOT NULL,
    pixels BLOB NOT NULL
);
CREATE VIRTUAL TABLE patch_box USING rtree_i32 (key, first_row, last_row, first_col, last_col);

PRAGMA application_id = 1196444487;
PRAGMA user_version = 10400;
