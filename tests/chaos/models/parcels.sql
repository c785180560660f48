-- Parcels sent in [:start, :end), as known at :as_of: the small model of the tests.
SELECT
    sent_at,
    parcel,
    weight,
    distance,
    region,
    carrier,
    note,
    CASE WHEN known_at <= :as_of AND void = 0 THEN late END AS late,
    CASE WHEN known_at <= :as_of THEN void ELSE 0 END AS void
FROM parcels
WHERE sent_at >= :start AND sent_at < :end
ORDER BY parcel
