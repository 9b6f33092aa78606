-- The history of grants as tables of Amazon Athena. Write the stack's output OperationsBucket in place of OPERATIONS_BUCKET. No
-- crawler and no further statement is needed: the days are found by partition projection. docs/history.md explains the columns.

CREATE EXTERNAL TABLE IF NOT EXISTS grantor_events (
  `schema_version` int,
  `kind` string,
  `at` string,
  `grant_id` string,
  `grantee_type` string,
  `grantee` string,
  `permission` string,
  `scope` string,
  `application` string,
  `reasons` array<struct<rule:string,file:string,version:string,subjects:array<string>,until:string,additive:boolean>>,
  `why` string,
  `who` string,
  `run_id` string,
  `exact` boolean,
  `since` string,
  `file` string,
  `version` string
)
PARTITIONED BY (`day` string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://OPERATIONS_BUCKET/history/grants/v1/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy-MM-dd',
  'projection.day.range' = '2026-01-01,NOW+1DAYS',
  'storage.location.template' = 's3://OPERATIONS_BUCKET/history/grants/v1/day=${day}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS grantor_checkpoints (
  `schema_version` int,
  `kind` string,
  `at` string,
  `grant_id` string,
  `grantee_type` string,
  `grantee` string,
  `permission` string,
  `scope` string,
  `application` string,
  `reasons` array<struct<rule:string,file:string,version:string,subjects:array<string>,until:string,additive:boolean>>,
  `why` string,
  `who` string,
  `run_id` string,
  `exact` boolean,
  `since` string,
  `file` string,
  `version` string
)
PARTITIONED BY (`day` string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://OPERATIONS_BUCKET/history/checkpoints/v1/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.day.type' = 'date',
  'projection.day.format' = 'yyyy-MM-dd',
  'projection.day.range' = '2026-01-01,NOW+1DAYS',
  'storage.location.template' = 's3://OPERATIONS_BUCKET/history/checkpoints/v1/day=${day}/'
);

CREATE EXTERNAL TABLE IF NOT EXISTS grantor_writes (
  `schema_version` int,
  `kind` string,
  `at` string,
  `grant_id` string,
  `grantee_type` string,
  `grantee` string,
  `permission` string,
  `scope` string,
  `application` string,
  `reasons` array<struct<rule:string,file:string,version:string,subjects:array<string>,until:string,additive:boolean>>,
  `why` string,
  `who` string,
  `run_id` string,
  `exact` boolean,
  `since` string,
  `file` string,
  `version` string
)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://OPERATIONS_BUCKET/history/writes/v1/';

-- Questions. A test runs each of them over the history of a real run.

-- Who has ever held something below a prefix since a day, from when to when? A grant without an end is still there.
SELECT grantee, permission, scope,
       min(CASE WHEN kind IN ('made', 'adopted', 'restored', 'found', 'held') THEN "at" END) AS since,
       min(CASE WHEN kind IN ('revoked', 'gone') THEN "at" END) AS until
FROM grantor_events
WHERE day >= '2026-01-01' AND starts_with(scope, 's3://data/')
GROUP BY grant_id, grantee, permission, scope
ORDER BY since;

-- How many grants were revoked in each month, and why?
SELECT substr("at", 1, 7) AS month, why, count(DISTINCT grant_id) AS grants
FROM grantor_events
WHERE kind = 'revoked' AND day >= '2026-01-01'
GROUP BY substr("at", 1, 7), why
ORDER BY month, grants DESC;

-- By whose upload was each grant made?
SELECT made."at", made.grantee, made.scope, made.reasons[1].rule AS rule, writes.who AS written_by
FROM grantor_events AS made
LEFT JOIN grantor_writes AS writes
  ON writes.file = made.reasons[1].file AND writes.version = made.reasons[1].version
WHERE made.kind = 'made' AND made.day >= '2026-01-01'
ORDER BY made."at";

-- Who has approved what, and with which reason?
SELECT "at", who, why, run_id
FROM grantor_events
WHERE kind IN ('approved', 'rejected', 'signed') AND day >= '2026-01-01'
ORDER BY "at";

-- What did the last checkpoint of a day hold?
SELECT grantee, permission, scope, since
FROM grantor_checkpoints
WHERE day = (SELECT max(day) FROM grantor_checkpoints)
ORDER BY grantee, scope;
