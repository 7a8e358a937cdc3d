//! Every hot statement keeps to its index, whatever the planner knows: on empty tables, on tables that have just been filled
//! and have no statistics or those of the empty table, and on large tables that were analyzed.

use crate::harness::Bench;
use jobs::ledger::statements::{self, Statements};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};

/// A statement as the test calls it: its text, the values it takes as SQL, and the indexes that must find its rows.
struct Hot {
    name: &'static str,
    sql: String,
    values: &'static [Given],
    indexes: &'static [&'static str],
}

/// A value, by type: what the drivers say too.
#[derive(Clone, Copy)]
enum Given {
    Text(&'static str),
    Number(i64),
    Int(i32),
    Bool,
    Id,
    Ids,
}

use Given::{Bool, Id, Ids, Int, Number, Text};

const NOW: Given = Number(2_000_000);
const SEND: Given = Text("send");

fn hot(sql: &Statements) -> Vec<Hot> {
    let hot = |name, sql: &str, values, indexes| Hot { name, sql: sql.to_owned(), values, indexes };
    let lanes = &["jobs_claim", "jobs_lane", "jobs_lane_running", "holds_by_connection"];
    let due: &[Given] = &[SEND, NOW, Int(1), Number(100)];
    let alone = &["jobs_isolated", "jobs_lane", "jobs_lane_running"];
    let prune = &[NOW, Number(500)];
    vec![
        hot("look", &sql.look, &[SEND, NOW], lanes),
        hot("due", &sql.due, due, lanes),
        hot("due_isolated", &sql.due_isolated, &[SEND, NOW], alone),
        hot("due_by_id", &sql.due_by_id, &[SEND, NOW, Ids], &["PRIMARY", "jobs_lane", "jobs_lane_running"]),
        hot("take", sql.take, &[NOW, NOW, Text("w"), Ids, Bool], &["PRIMARY"]),
        hot("renew", sql.renew, &[NOW, Text("w"), Ids], &["PRIMARY"]),
        hot("lapsed", sql.lapsed, &[NOW, Number(100)], &["jobs_running"]),
        hot("lapsed_locking", sql.lapsed_locking, &[NOW, Number(100)], &["jobs_running"]),
        hot("company_of", sql.company_of, &[Text("w")], &["jobs_running", "job_attempts_by_worker"]),
        hot("still_running", sql.still_running, &[Ids], &["PRIMARY"]),
        hot("spread", sql.spread, &[Id, NOW, NOW], &["jobs_waiting_by_connection"]),
        hot("wake", sql.wake, &[Id, NOW], &["jobs_waiting_by_connection"]),
        hot("completed", sql.prune.completed_jobs, prune, &["jobs_finished"]),
        hot("discarded", sql.prune.discarded_jobs, prune, &["jobs_finished"]),
        hot("cancelled", sql.prune.cancelled_jobs, prune, &["jobs_finished"]),
        hot("bodies", sql.prune.bodies, prune, &["deliveries_with_body"]),
        hot("deliveries", sql.prune.deliveries, prune, &["deliveries_by_time"]),
    ]
}

/// 60,000 jobs as a busy day leaves them: most are finished; of the others some run, some wait in lanes, some are for later.
fn filling(backend: DbBackend) -> String {
    let (numbers, id, connection) = match backend {
        DbBackend::Postgres => (
            "SELECT n FROM generate_series(1, 60000) AS g(n)",
            "md5('job' || n)::uuid",
            "md5('connection' || n % 50)::uuid",
        ),
        _ => (
            "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 60000) SELECT n FROM g",
            "unhex(printf('%032x', n))",
            "unhex(printf('%032x', n % 50))",
        ),
    };
    format!(
        "INSERT INTO jobs (id, queue, kind, payload, state, lane, max_attempts, run_at, lease_until, worker, connection_id, \
         created_at, finished_at)
         SELECT {id}, CASE WHEN n % 3 = 0 THEN 'send' ELSE 'webhooks' END, 'test', '{{}}',
                CASE WHEN n % 10 < 6 THEN 'completed' WHEN n % 10 = 6 THEN 'discarded' WHEN n % 100 = 7 THEN 'running'
                     WHEN n % 10 = 8 THEN 'scheduled' ELSE 'available' END,
                CASE WHEN n % 3 = 0 THEN 'lane' || n END, 8, n * 50, CASE WHEN n % 100 = 7 THEN n * 50 END,
                CASE WHEN n % 100 = 7 THEN 'w' END, {connection}, n, CASE WHEN n % 10 < 7 THEN n END
         FROM ({numbers}) AS numbers"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_hot_statement_keeps_to_its_index() {
    let bench = Bench::new().await;
    let db = &bench.ledger.context().db;
    let (backend, sql) = (db.backend(), statements::of(db.backend()));
    let run = async |statement: &str| db.write().execute_unprepared(statement).await.unwrap();
    if backend == DbBackend::Postgres {
        // Statistics are ours to give and to withhold here.
        run("ALTER TABLE jobs SET (autovacuum_enabled = off)").await;
    }
    check(db.begin().await.unwrap().conn(), sql, "empty").await;
    run(if backend == DbBackend::Postgres { "VACUUM ANALYZE" } else { "ANALYZE" }).await;
    check(db.begin().await.unwrap().conn(), sql, "empty, analyzed").await;
    run(&filling(backend)).await;
    check(db.begin().await.unwrap().conn(), sql, "filled, with statistics of the empty table").await;
    run("ANALYZE").await;
    check(db.begin().await.unwrap().conn(), sql, "large, analyzed").await;

    let fresh = Bench::new().await;
    let db = &fresh.ledger.context().db;
    if backend == DbBackend::Postgres {
        db.write().execute_unprepared("ALTER TABLE jobs SET (autovacuum_enabled = off)").await.unwrap();
    }
    db.write().execute_unprepared(&filling(backend)).await.unwrap();
    check(db.begin().await.unwrap().conn(), sql, "filled, without statistics").await;
}

async fn check(db: &DatabaseTransaction, sql: &Statements, tables: &str) {
    for hot in hot(sql) {
        for plan in plans(db, &hot).await {
            for index in hot.indexes {
                let primary = if db.get_database_backend() == DbBackend::Postgres { "jobs_pkey" } else { "jobs_1" };
                let index = if *index == "PRIMARY" { primary } else { index };
                let used = plan.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word.ends_with(index));
                assert!(used, "{tables}: {} does not use {index}:\n{plan}", hot.name);
            }
            let whole = ["Seq Scan on jobs", "SCAN jobs\n", "SCAN j\n", "SCAN deliveries\n"];
            assert!(whole.iter().all(|scan| !plan.contains(scan)), "{tables}: {} reads all:\n{plan}", hot.name);
            if ["look", "due", "due_isolated"].contains(&hot.name) {
                let sorts = ["Sort", "TEMP B-TREE"].iter().any(|sort| plan.contains(sort));
                assert!(!sorts, "{tables}: {} sorts all that is due:\n{plan}", hot.name);
            }
        }
    }
}

/// The plan, on Postgres both the one for the values and the one for any values.
async fn plans(db: &DatabaseTransaction, hot: &Hot) -> Vec<String> {
    let backend = db.get_database_backend();
    let explained = async |explain: String| {
        let rows = db.query_all_raw(Statement::from_string(backend, explain)).await.unwrap();
        let column = if backend == DbBackend::Postgres { 0 } else { 3 };
        rows.iter().map(|row| row.try_get_by_index::<String>(column).unwrap() + "\n").collect::<String>()
    };
    if backend != DbBackend::Postgres {
        let mut text = hot.sql.clone();
        for (at, value) in hot.values.iter().enumerate().rev() {
            text = text.replace(&format!("?{}", at + 1), &literal(*value, backend));
        }
        return vec![explained(format!("EXPLAIN QUERY PLAN {text}")).await];
    }
    let types: Vec<&str> = hot.values.iter().map(|value| type_of(*value)).collect();
    let values: Vec<String> = hot.values.iter().map(|value| literal(*value, backend)).collect();
    db.execute_unprepared(&format!("PREPARE hot({}) AS {}", types.join(", "), hot.sql)).await.unwrap();
    let mut plans = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        db.execute_unprepared(&format!("SET LOCAL plan_cache_mode = {mode}")).await.unwrap();
        plans.push(explained(format!("EXPLAIN (COSTS OFF) EXECUTE hot({})", values.join(", "))).await);
    }
    db.execute_unprepared("DEALLOCATE hot").await.unwrap();
    plans
}

fn type_of(value: Given) -> &'static str {
    match value {
        Text(_) => "text",
        Number(_) => "bigint",
        Int(_) => "int",
        Bool => "boolean",
        Id => "uuid",
        Ids => "uuid[]",
    }
}

fn literal(value: Given, backend: DbBackend) -> String {
    let id = "0".repeat(31) + "7";
    match (value, backend) {
        (Text(text), _) => format!("'{text}'"),
        (Number(number), _) => number.to_string(),
        (Int(number), _) => number.to_string(),
        (Bool, _) => "false".to_owned(),
        (Id, DbBackend::Postgres) => format!("'{id}'"),
        (Id, _) => format!("x'{id}'"),
        (Ids, DbBackend::Postgres) => format!("'{{{id}}}'"),
        (Ids, _) => format!("'[\"{id}\"]'"),
    }
}
