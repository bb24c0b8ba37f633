-- Percentiles for whoever asks the database, such as Grafana: the same as in locust_fleet.protocol.histogram.

-- The response time (milliseconds) that a fraction (0 to 1) of the requests stayed within: the value
-- at position floor(requests x fraction), counted from zero. NULL for an empty histogram.
CREATE FUNCTION histogram_percentile(histogram jsonb, fraction double precision)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT ms
    FROM (
        SELECT
            ms,
            sum(n) OVER (ORDER BY ms) AS seen,
            sum(n) OVER () AS total
        FROM (
            SELECT key::double precision AS ms, value::bigint AS n
            FROM jsonb_each_text(histogram)
        ) AS buckets
        WHERE n > 0
    ) AS counted
    WHERE seen > least(floor(total::double precision * fraction), total - 1)
    ORDER BY ms
    LIMIT 1
$$;

-- Added up by the text of a key first, which is faster, and then by what it means.
CREATE FUNCTION histogram_sum(histograms jsonb[])
RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(jsonb_object_agg(ms, n), '{}')
    FROM (
        SELECT key::double precision AS ms, sum(n) AS n
        FROM (
            SELECT key, sum(value::bigint) AS n
            FROM unnest(histograms) AS histogram, jsonb_each_text(histogram)
            GROUP BY key
        ) AS texts
        GROUP BY 1
    ) AS buckets
$$;

-- The histogram of all requests of the given ones. They are collected first and added up once: to
-- add each to a growing sum would write that sum anew for every row.
CREATE AGGREGATE histogram_merge(jsonb) (
    SFUNC = array_append,
    STYPE = jsonb[],
    FINALFUNC = histogram_sum,
    COMBINEFUNC = array_cat,
    PARALLEL = SAFE
);
