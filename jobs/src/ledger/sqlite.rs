//! The hot statements for SQLite. The index is named in each, so that its planner cannot choose another when statistics
//! are missing or old. There is one writer, which begins by taking the write lock, so nothing more is locked.

use super::statements::{Prune, Statements};
use std::sync::LazyLock;

/// The literal lists must stay those of the partial indexes in `migration`.
const WAITING: &str = "('scheduled', 'available', 'retryable', 'snoozed')";

/// What lets a due job run now, the same however it was found: queue not paused, sending not held, lane free.
/// Values: ?1 queue, ?2 now.
const FREE: &str = "
  AND NOT EXISTS (SELECT 1 FROM queues AS q WHERE q.name = ?1 AND q.paused = TRUE)
  AND NOT EXISTS (SELECT 1 FROM holds AS h WHERE ?1 = 'send' AND h.subject = 'app' AND h.until_at > ?2)
  AND (j.connection_id IS NULL OR ?1 <> 'send'
       OR NOT EXISTS (SELECT 1 FROM holds AS h WHERE h.connection_id = j.connection_id AND h.until_at > ?2))
  AND (j.lane IS NULL
       OR NOT EXISTS (SELECT 1 FROM jobs AS r INDEXED BY jobs_lane_running
                      WHERE r.lane = j.lane AND r.lane IS NOT NULL AND r.state = 'running')
      AND NOT EXISTS (SELECT 1 FROM jobs AS o INDEXED BY jobs_lane
                      WHERE o.lane = j.lane AND o.lane IS NOT NULL AND o.id < j.id
                        AND o.state IN ('scheduled', 'available', 'retryable', 'snoozed', 'running')
                        AND (o.state <> 'scheduled' OR o.run_at <= ?2)))";

pub(super) static STATEMENTS: LazyLock<Statements> = LazyLock::new(|| {
    let due = |priority: &str, limit: &str| {
        format!(
            "
SELECT j.id FROM jobs AS j INDEXED BY jobs_claim
WHERE j.queue = ?1 AND j.priority = {priority} AND j.run_at <= ?2 AND j.state IN {WAITING} AND j.isolated = FALSE {FREE}
ORDER BY j.run_at, j.id LIMIT {limit}"
        )
    };
    let due_isolated = format!(
        "
SELECT j.id FROM jobs AS j INDEXED BY jobs_isolated
WHERE j.isolated = TRUE AND j.state IN {WAITING} AND j.queue = ?1 AND j.run_at <= ?2 {FREE}
ORDER BY j.run_at LIMIT 1"
    );
    let look = format!(
        "SELECT ({due_isolated}) IS NOT NULL, ({}) IS NOT NULL, ({}) IS NOT NULL, ({}) IS NOT NULL",
        due("0", "1"),
        due("1", "1"),
        due("2", "1"),
    );
    // The plus signs leave the planner nothing but the ids.
    let due_by_id = format!(
        "
SELECT j.id FROM json_each(?3) AS handed CROSS JOIN jobs AS j ON j.id = unhex(handed.value)
WHERE +j.queue = ?1 AND +j.run_at <= ?2 AND +j.state IN {WAITING} AND j.isolated = FALSE {FREE}"
    );
    Statements {
        look,
        due: due("?3", "?4"),
        due_isolated,
        due_by_id,
        take: "
UPDATE jobs SET state = 'running', attempt = attempt + 1, fence = fence + 1,
                started_at = ?1, lease_until = ?2, worker = ?3, claimed_alone = ?5
WHERE id IN (SELECT unhex(value) FROM json_each(?4))
  AND state IN ('scheduled', 'available', 'retryable', 'snoozed')
RETURNING *",
        renew: "
UPDATE jobs SET lease_until = ?1
WHERE id IN (SELECT unhex(value) FROM json_each(?3)) AND worker = ?2 AND state = 'running'
RETURNING id, fence",
        lapsed: LAPSED,
        lapsed_locking: LAPSED,
        company_of: "
SELECT (SELECT count(*) FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND worker = ?1)
     + (SELECT count(*) FROM job_attempts INDEXED BY job_attempts_by_worker WHERE worker = ?1 AND outcome = 'lapsed')",
        still_running: "
SELECT id, fence FROM jobs WHERE id IN (SELECT unhex(value) FROM json_each(?1)) AND +state = 'running'",
        spread: "
UPDATE jobs INDEXED BY jobs_waiting_by_connection SET run_at = ?2 + abs(random()) % ?3
WHERE connection_id = ?1 AND connection_id IS NOT NULL
  AND state IN ('scheduled', 'available', 'retryable', 'snoozed')
  AND queue = 'send' AND run_at <= ?2",
        wake: "
UPDATE jobs INDEXED BY jobs_waiting_by_connection SET run_at = ?2
WHERE connection_id = ?1 AND connection_id IS NOT NULL
  AND state IN ('scheduled', 'available', 'retryable', 'snoozed') AND state = 'snoozed'",
        prune: Prune {
            completed_jobs: "
DELETE FROM jobs WHERE id IN (
    SELECT id FROM jobs INDEXED BY jobs_finished
    WHERE state = 'completed' AND state IN ('completed', 'discarded', 'cancelled') AND finished_at < ?1 LIMIT ?2)",
            discarded_jobs: "
DELETE FROM jobs WHERE id IN (
    SELECT id FROM jobs INDEXED BY jobs_finished
    WHERE state = 'discarded' AND state IN ('completed', 'discarded', 'cancelled') AND finished_at < ?1 LIMIT ?2)",
            cancelled_jobs: "
DELETE FROM jobs WHERE id IN (
    SELECT id FROM jobs INDEXED BY jobs_finished
    WHERE state = 'cancelled' AND state IN ('completed', 'discarded', 'cancelled') AND finished_at < ?1 LIMIT ?2)",
            bodies: "
UPDATE deliveries SET body = NULL WHERE id IN (
    SELECT id FROM deliveries INDEXED BY deliveries_with_body
    WHERE received_at < ?1 AND body IS NOT NULL AND state <> 'received' LIMIT ?2)",
            deliveries: "
DELETE FROM deliveries WHERE id IN (
    SELECT id FROM deliveries WHERE received_at < ?1 AND state <> 'received' LIMIT ?2)",
            sign_in_failures: "
DELETE FROM sign_in_failures WHERE subject IN (
    SELECT subject FROM sign_in_failures WHERE window_started_at < ?1 LIMIT ?2)",
            connect_flows: "
DELETE FROM connect_flows WHERE id IN (SELECT id FROM connect_flows WHERE created_at < ?1 LIMIT ?2)",
            message_marks: "
DELETE FROM message_marks WHERE rowid IN (SELECT rowid FROM message_marks WHERE created_at < ?1 LIMIT ?2)",
            idempotency_keys: "
DELETE FROM idempotency_keys WHERE rowid IN (SELECT rowid FROM idempotency_keys WHERE created_at < ?1 LIMIT ?2)",
            holds: "
DELETE FROM holds WHERE id IN (SELECT id FROM holds WHERE until_at < ?1 LIMIT ?2)",
            workers: "
DELETE FROM workers WHERE id IN (SELECT id FROM workers WHERE beat_at < ?1 LIMIT ?2)",
        },
    }
});

const LAPSED: &str = "
SELECT * FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND lease_until < ?1 ORDER BY lease_until LIMIT ?2";
