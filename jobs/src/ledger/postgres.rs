//! The hot statements for Postgres. Rows are taken with `SKIP LOCKED`, so that workers never wait for each other; what guards
//! a claim is a scalar subquery and what narrows rows found by id is an expression, which leaves the planner one plan: it
//! can neither turn the first into a join nor find another index for the second.

use super::statements::{Prune, Statements};
use std::sync::LazyLock;

/// The literal lists must stay those of the partial indexes in `migration`.
const WAITING: &str = "('scheduled', 'available', 'retryable', 'snoozed')";

/// What lets a due job run now, the same however it was found: queue not paused, sending not held, lane free.
/// Values: $1 queue, $2 now.
const FREE: &str = "
  AND (SELECT 1 FROM queues AS q WHERE q.name = $1 AND q.paused LIMIT 1) IS NULL
  AND (SELECT 1 FROM holds AS h WHERE $1 = 'send' AND h.subject = 'app' AND h.until_at > $2 LIMIT 1) IS NULL
  AND (j.connection_id IS NULL OR $1 <> 'send'
       OR (SELECT 1 FROM holds AS h WHERE h.connection_id = j.connection_id AND h.until_at > $2 LIMIT 1) IS NULL)
  AND (j.lane IS NULL
       OR (SELECT 1 FROM jobs AS r WHERE r.lane = j.lane AND r.lane IS NOT NULL AND r.state = 'running' LIMIT 1) IS NULL
      AND (SELECT 1 FROM jobs AS o
           WHERE o.lane = j.lane AND o.lane IS NOT NULL AND o.id < j.id
             AND o.state IN ('scheduled', 'available', 'retryable', 'snoozed', 'running')
             AND (o.state <> 'scheduled' OR o.run_at <= $2) LIMIT 1) IS NULL)";

/// A lock that lets others refer to the row.
const LOCK: &str = "FOR NO KEY UPDATE OF j SKIP LOCKED";

pub(super) static STATEMENTS: LazyLock<Statements> = LazyLock::new(|| {
    let due = |priority: &str, limit: &str| {
        format!(
            "
SELECT j.id FROM jobs AS j
WHERE j.queue = $1 AND j.priority = {priority} AND j.run_at <= $2 AND j.state IN {WAITING} AND j.isolated = FALSE {FREE}
ORDER BY j.run_at, j.id LIMIT {limit}"
        )
    };
    let due_isolated = format!(
        "
SELECT j.id FROM jobs AS j
WHERE j.isolated = TRUE AND j.state IN {WAITING} AND j.queue = $1 AND j.run_at <= $2 {FREE}
ORDER BY j.run_at LIMIT 1"
    );
    let look = format!(
        "SELECT ({due_isolated}) IS NOT NULL, ({}) IS NOT NULL, ({}) IS NOT NULL, ({}) IS NOT NULL",
        due("0", "1"),
        due("1", "1"),
        due("2", "1"),
    );
    let due_by_id = format!(
        "
SELECT j.id FROM jobs AS j
WHERE j.id = ANY($3) AND j.queue || '' = $1 AND j.run_at + 0 <= $2 AND j.state || '' IN {WAITING} AND NOT j.isolated {FREE}
{LOCK}"
    );
    Statements {
        look,
        due: format!("{} {LOCK}", due("$3", "$4")),
        due_isolated: format!("{due_isolated} {LOCK}"),
        due_by_id,
        take: "
UPDATE jobs SET state = 'running', attempt = attempt + 1, fence = fence + 1,
                started_at = $1, lease_until = $2, worker = $3, claimed_alone = $5
WHERE id = ANY($4) AND state || '' IN ('scheduled', 'available', 'retryable', 'snoozed')
RETURNING *",
        // A row that is locked is being settled by its own worker, or looked at by who sweeps: either is soon decided.
        renew: "
WITH free AS (
    SELECT id FROM jobs WHERE id = ANY($3) AND worker || '' = $2 AND state || '' = 'running'
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), renewed AS (
    UPDATE jobs SET lease_until = $1 FROM free WHERE jobs.id = free.id
)
SELECT id, fence FROM jobs WHERE id = ANY($3) AND worker || '' = $2 AND state || '' = 'running'",
        lapsed: "
SELECT * FROM jobs WHERE state = 'running' AND lease_until < $1 ORDER BY lease_until LIMIT $2",
        lapsed_locking: "
SELECT * FROM jobs WHERE state = 'running' AND lease_until < $1 ORDER BY lease_until LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED",
        company_of: "
SELECT (SELECT count(*) FROM jobs WHERE state = 'running' AND worker = $1)
     + (SELECT count(*) FROM job_attempts WHERE worker = $1 AND outcome = 'lapsed')",
        still_running: "
SELECT id, fence FROM jobs WHERE id = ANY($1) AND state || '' = 'running' ORDER BY id FOR NO KEY UPDATE",
        // A row that is locked is being claimed and will find out by itself. The range and the order ask for the one index that
        // begins with the account, where an equality would let an empty table be read by any.
        spread: "
UPDATE jobs SET run_at = $2 + floor(random() * $3)::bigint
WHERE id = ANY(ARRAY(
    SELECT id FROM jobs
    WHERE connection_id BETWEEN $1 AND $1 AND connection_id IS NOT NULL
      AND state IN ('scheduled', 'available', 'retryable', 'snoozed')
      AND queue || '' = 'send' AND run_at + 0 <= $2
    ORDER BY connection_id FOR NO KEY UPDATE SKIP LOCKED))",
        wake: "
UPDATE jobs SET run_at = $2
WHERE id = ANY(ARRAY(
    SELECT id FROM jobs
    WHERE connection_id BETWEEN $1 AND $1 AND connection_id IS NOT NULL
      AND state IN ('scheduled', 'available', 'retryable', 'snoozed') AND state = 'snoozed'
    ORDER BY connection_id FOR NO KEY UPDATE SKIP LOCKED))",
        prune: Prune {
            completed_jobs: "
DELETE FROM jobs WHERE id = ANY(ARRAY(
    SELECT id FROM jobs WHERE state = 'completed' AND state IN ('completed', 'discarded', 'cancelled')
      AND finished_at < $1 LIMIT $2))",
            discarded_jobs: "
DELETE FROM jobs WHERE id = ANY(ARRAY(
    SELECT id FROM jobs WHERE state = 'discarded' AND state IN ('completed', 'discarded', 'cancelled')
      AND finished_at < $1 LIMIT $2))",
            cancelled_jobs: "
DELETE FROM jobs WHERE id = ANY(ARRAY(
    SELECT id FROM jobs WHERE state = 'cancelled' AND state IN ('completed', 'discarded', 'cancelled')
      AND finished_at < $1 LIMIT $2))",
            bodies: "
UPDATE deliveries SET body = NULL WHERE id = ANY(ARRAY(
    SELECT id FROM deliveries WHERE received_at < $1 AND body IS NOT NULL AND state <> 'received' LIMIT $2))",
            deliveries: "
DELETE FROM deliveries WHERE id = ANY(ARRAY(
    SELECT id FROM deliveries WHERE received_at < $1 AND state <> 'received' LIMIT $2))",
            sign_in_failures: "
DELETE FROM sign_in_failures WHERE subject = ANY(ARRAY(
    SELECT subject FROM sign_in_failures WHERE window_started_at < $1 LIMIT $2))",
            connect_flows: "
DELETE FROM connect_flows WHERE id = ANY(ARRAY(SELECT id FROM connect_flows WHERE created_at < $1 LIMIT $2))",
            message_marks: "
DELETE FROM message_marks WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM message_marks WHERE created_at < $1 LIMIT $2))",
            idempotency_keys: "
DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM idempotency_keys WHERE created_at < $1 LIMIT $2))",
            holds: "
DELETE FROM holds WHERE id = ANY(ARRAY(SELECT id FROM holds WHERE until_at < $1 LIMIT $2))",
            workers: "
DELETE FROM workers WHERE id = ANY(ARRAY(SELECT id FROM workers WHERE beat_at < $1 LIMIT $2))",
        },
    }
});
