-- Editions of layers, their features, and the small pieces that the indexes work on.
-- Runs with the schema of cvlarray in front of the search path; PostGIS may live in any other.

CREATE TABLE layer (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key char(64) NOT NULL UNIQUE,          -- source and declaration: equal keys, equal features
    name text NOT NULL,
    role text NOT NULL,
    sha256 char(64) NOT NULL,              -- of the source
    valid date,
    licence text NOT NULL,
    boundary_uncertainty_m double precision NOT NULL,
    declared jsonb NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE feature (
    layer_id integer NOT NULL REFERENCES layer,
    feature integer NOT NULL,              -- row in the snapshot
    code text,
    name text,
    category text,
    status text,
    licence text,
    department text,
    province text,
    district text,
    legal_area_ha double precision,
    dated_from date,
    dated_to date,
    confidence text,
    geom geometry(Geometry, 4326) NOT NULL,
    PRIMARY KEY (layer_id, feature)
);
CREATE INDEX feature_geom ON feature USING gist (geom);

-- One partition a layer, so that the index of one layer never walks through another's pieces. They
-- refer to no other table: a foreign key would make storing a layer wait for those who read.
CREATE TABLE area_piece (
    layer_id integer NOT NULL,
    feature integer NOT NULL,
    geom geometry(Polygon, 4326) NOT NULL
) PARTITION BY LIST (layer_id);
CREATE INDEX area_piece_geom ON area_piece USING gist (geom);

CREATE TABLE border_piece (
    layer_id integer NOT NULL,
    feature integer NOT NULL,
    mercator geometry(Geometry, 3395) NOT NULL
) PARTITION BY LIST (layer_id);
CREATE INDEX border_piece_mercator ON border_piece USING gist (mercator);

-- Edges are straight in degrees; longer ones are followed in steps of 100 m for areas, of 1 km for
-- distances.
CREATE FUNCTION area_m2(shape geometry) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ST_Area(ST_Transform(ST_Segmentize(shape, 0.001), 6933));

CREATE FUNCTION in_distance_plane(shape geometry) RETURNS geometry
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ST_Transform(ST_Segmentize(shape, 1 / 111.32), 3395);

-- Length on the ellipsoid of a line of two points in the plane of distances.
CREATE FUNCTION ground_length_m(way geometry) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ST_Distance(
        ST_Transform(ST_StartPoint(way), 4326)::geography,
        ST_Transform(ST_EndPoint(way), 4326)::geography
    );
