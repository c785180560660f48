-- One row per departure scheduled in [:start, :end), as known at :as_of. Runs unchanged on SQLite and Postgres.
-- Late shares use outcomes known by the interval's start only: nobody at the gate knows more.
-- Every departure is of 2013, so a plane's age needs no date arithmetic, which the two servers spell differently.
WITH known AS (
    SELECT carrier, origin, CASE WHEN arr_delay > 15 THEN 1.0 ELSE 0.0 END AS late
    FROM departures
    WHERE outcome_known_at <= :start
      AND outcome_known_at > :since
      AND arr_delay IS NOT NULL
),
by_origin AS (SELECT origin, AVG(late) AS late_share FROM known GROUP BY origin),
by_carrier AS (SELECT carrier, AVG(late) AS late_share FROM known GROUP BY carrier)
SELECT
    d.scheduled_at,
    d.carrier,
    d.flight,
    d.origin,
    d.dest,
    d.tailnum,
    d.distance,
    d.sched_minute,
    2013 - d.plane_year AS plane_age,
    CAST(d.weekday AS VARCHAR(1)) AS weekday,
    d.temp,
    d.dewp,
    d.humid,
    d.wind_speed,
    d.precip,
    d.pressure,
    d.visib,
    by_origin.late_share AS origin_late_share,
    by_carrier.late_share AS carrier_late_share,
    CASE WHEN d.departed_at <= :as_of THEN 1.0 ELSE 0.0 END AS departed,
    CASE WHEN d.outcome_known_at <= :as_of THEN d.arr_delay END AS minutes,
    CASE WHEN d.outcome_known_at <= :as_of AND d.arr_delay IS NULL THEN 1 ELSE 0 END AS void
FROM departures AS d
LEFT JOIN by_origin ON by_origin.origin = d.origin
LEFT JOIN by_carrier ON by_carrier.carrier = d.carrier
WHERE d.scheduled_at >= :start AND d.scheduled_at < :end
ORDER BY d.scheduled_at, d.carrier, d.flight, d.origin, d.dest
