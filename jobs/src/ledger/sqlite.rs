//! The hot statements for SQLite. The index is named in each, so that its planner cannot choose another when statistics
//! are missing or old; the literal state lists must stay those of the partial indexes in `migration`.

use std::sync::LazyLock;

/// What lets a due job run now, the same however it was found: queue not paused, sending not held, lane free.
/// Values: ?1 queue, ?2 now.
const FREE: &str = "
  AND NOT EXISTS (SELECT 1 FROM queues AS q WHERE q.name = ?1 AND q.paused = TRUE)
  AND NOT EXISTS (SELECT 1 FROM holds AS h WHERE ?1 = 'send' AND h.subject = 'app' AND h.until_at > ?2)
  AND (j.connection_id IS NULL
       OR NOT EXISTS (SELECT 1 FROM holds AS h WHERE h.connection_id = j.connection_id AND h.until_at > ?2))
  AND (j.lane IS NULL
       OR NOT EXISTS (SELECT 1 FROM jobs AS o INDEXED BY jobs_lane
                      WHERE o.lane = j.lane AND o.lane IS NOT NULL AND o.id <> j.id
                        AND o.state IN ('scheduled', 'available', 'retryable', 'snoozed', 'running')
                        AND (o.state = 'running'
                             OR (o.id < j.id AND (o.state <> 'scheduled' OR o.run_at <= ?2)))))";

/// Due jobs of one queue and priority that may run now, oldest first.
/// Values: queue, now, priority, limit.
pub static DUE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "
SELECT j.id FROM jobs AS j INDEXED BY jobs_claim
WHERE j.queue = ?1 AND j.priority = ?3 AND j.run_at <= ?2
  AND j.state IN ('scheduled', 'available', 'retryable', 'snoozed')
  AND j.isolated = FALSE {FREE}
ORDER BY j.run_at, j.id LIMIT ?4"
    )
});

/// A due job that must run alone. Values: queue, now.
pub static DUE_ISOLATED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "
SELECT j.id FROM jobs AS j INDEXED BY jobs_isolated
WHERE j.isolated = TRUE AND j.state IN ('scheduled', 'available', 'retryable', 'snoozed')
  AND j.queue = ?1 AND j.run_at <= ?2 {FREE}
ORDER BY j.run_at, j.id LIMIT 1"
    )
});

/// Which of the jobs handed over by id may run now; the plus signs leave the planner nothing but the ids.
/// Values: queue, now, a JSON array of ids in hex.
pub static DUE_BY_ID: LazyLock<String> = LazyLock::new(|| {
    format!(
        "
SELECT j.id FROM json_each(?3) AS handed CROSS JOIN jobs AS j ON j.id = unhex(handed.value)
WHERE +j.queue = ?1 AND +j.run_at <= ?2
  AND +j.state IN ('scheduled', 'available', 'retryable', 'snoozed')
  AND j.isolated = FALSE {FREE}"
    )
});

/// Takes the jobs named. Values: now, lease end, worker, a JSON array of ids in hex, alone.
pub const TAKE: &str = "
UPDATE jobs SET state = 'running', attempt = attempt + 1, fence = fence + 1,
                started_at = ?1, lease_until = ?2, worker = ?3, claimed_alone = ?5
WHERE id IN (SELECT unhex(value) FROM json_each(?4))
  AND state IN ('scheduled', 'available', 'retryable', 'snoozed')
RETURNING *";

/// Renews what this worker still holds. Values: lease end, worker, a JSON array of ids in hex.
pub const RENEW: &str = "
UPDATE jobs SET lease_until = ?1
WHERE id IN (SELECT unhex(value) FROM json_each(?3)) AND worker = ?2 AND state = 'running'
RETURNING id, fence";

/// Running jobs whose lease has lapsed. Values: now, limit.
pub const LAPSED: &str = "
SELECT * FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND lease_until < ?1 ORDER BY lease_until LIMIT ?2";

/// How many jobs a worker was running when it fell silent: those it still holds, and those of it that have lapsed before.
/// Values: worker.
pub const COMPANY_OF: &str = "
SELECT (SELECT count(*) FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND worker = ?1)
     + (SELECT count(*) FROM job_attempts INDEXED BY job_attempts_by_worker WHERE worker = ?1 AND outcome = 'lapsed')";

/// Makes the waiting sends of an account fall due one after the other from a moment on. Values: connection, moment, spread in
/// milliseconds.
pub const SPREAD: &str = "
UPDATE jobs INDEXED BY jobs_waiting_by_connection SET run_at = ?2 + abs(random()) % ?3
WHERE connection_id = ?1 AND connection_id IS NOT NULL
  AND state IN ('scheduled', 'available', 'retryable', 'snoozed')
  AND queue = 'send' AND run_at <= ?2";

/// Makes the snoozed jobs of an account fall due. Values: connection, now.
pub const WAKE: &str = "
UPDATE jobs INDEXED BY jobs_waiting_by_connection SET run_at = ?2
WHERE connection_id = ?1 AND connection_id IS NOT NULL
  AND state IN ('scheduled', 'available', 'retryable', 'snoozed') AND state = 'snoozed'";
