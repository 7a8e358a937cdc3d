//! What the database says, read by statements of the judge's own: no entity, no rule and no pool of the product is between.

use anyhow::Context as _;
use futures::TryStreamExt as _;
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Row as _};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

/// After a crash, for Postgres to let somebody in.
const OPEN_WITHIN: Duration = Duration::from_secs(30);

/// A stored message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Our id.
    pub id: String,
    /// Meta's id of it.
    pub mid: Option<String>,
    /// Meta's id of the account.
    pub account: String,
    /// Meta's id of the customer.
    pub customer: String,
    /// Who owns it.
    pub organization: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// `auto` for an automatic reply.
    pub origin: String,
    /// Of an outbound message.
    pub status: Option<String>,
    /// Our id of the message it answers.
    pub answers: Option<String>,
    /// What it says.
    pub text: Option<String>,
}

/// Jobs of one kind in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What they do.
    pub kind: String,
    /// How far they are.
    pub state: String,
    /// Due later than now.
    pub future: bool,
    /// How many.
    pub count: i64,
}

impl Job {
    /// Whether anybody has something left to do about it. A look at Meta after a message whose outcome is unknown is made one
    /// and three minutes later on purpose.
    pub fn is_unfinished(&self) -> bool {
        let finished = ["completed", "discarded", "cancelled"].contains(&self.state.as_str());
        let later = self.kind == "message.reconcile" && self.state == "scheduled" && self.future;
        !finished && !later
    }
}

impl Display for Job {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let due = if self.future { ", due later" } else { "" };
        write!(f, "{} {} {}{due}", self.count, self.kind, self.state)
    }
}

/// Everything the judge wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Every message.
    pub messages: Vec<Message>,
    /// Every job.
    pub jobs: Vec<Job>,
    /// By organization and metric, all months together.
    pub usage: BTreeMap<(String, String), i64>,
    /// By account and customer: how many messages nobody has read.
    pub unread: BTreeMap<(String, String), i64>,
    /// By state.
    pub deliveries: BTreeMap<String, i64>,
    /// Attempts that did not simply succeed: kind, what became of them, class of the error, and how many.
    pub attempts: Vec<(String, String, String, i64)>,
}

impl Rows {
    /// Attempts that ended because nobody renewed their lease.
    pub fn lapsed(&self) -> i64 {
        self.attempts.iter().filter(|(_, outcome, ..)| outcome == "lapsed").map(|(.., count)| count).sum()
    }
}

/// The database, whichever it is.
#[derive(Clone, Debug)]
pub struct Database {
    pool: AnyPool,
    /// How a transaction begins in which every statement sees the same moment.
    one_moment: Option<&'static str>,
    /// An expression that shows an id as 32 hexadecimal digits.
    id: fn(&str) -> String,
}

impl Database {
    /// Opens it.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        sqlx::any::install_default_drivers();
        let is_sqlite = url.starts_with("sqlite:");
        let id: fn(&str) -> String = if is_sqlite {
            |column| format!("lower(hex({column}))")
        } else {
            |column| format!("replace(CAST({column} AS text), '-', '')")
        };
        // SQLite does so by itself.
        let one_moment = (!is_sqlite).then_some("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
        let began = Instant::now();
        loop {
            let pool = AnyPoolOptions::new().max_connections(2).connect(url).await;
            match pool {
                Ok(pool) => return Ok(Self { pool, one_moment, id }),
                Err(error) if began.elapsed() > OPEN_WITHIN => {
                    return Err(error).context("the judge cannot open the database");
                }
                Err(_not_up_yet) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// The jobs that are not final.
    pub async fn unfinished(&self) -> anyhow::Result<Vec<Job>> {
        let mut connection = self.pool.acquire().await?;
        Ok(jobs(&mut connection).await?.into_iter().filter(Job::is_unfinished).collect())
    }

    /// Everything, as it is at one moment.
    pub async fn rows(&self) -> anyhow::Result<Rows> {
        let mut transaction = self.pool.begin().await?;
        if let Some(statement) = self.one_moment {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        let rows = Rows {
            messages: self.messages(&mut transaction).await?,
            jobs: jobs(&mut transaction).await?,
            usage: self.usage(&mut transaction).await?,
            unread: unread(&mut transaction).await?,
            deliveries: deliveries(&mut transaction).await?,
            attempts: attempts(&mut transaction).await?,
        };
        transaction.rollback().await?;
        Ok(rows)
    }

    async fn messages(&self, connection: &mut AnyConnection) -> anyhow::Result<Vec<Message>> {
        let id = self.id;
        let (own, answers, organization) = (id("m.id"), id("m.answers_id"), id("m.organization_id"));
        let statement = format!(
            "SELECT {own} AS id, m.external_id AS mid, n.external_id AS account, c.external_id AS customer, \
             {organization} AS organization, m.direction, m.origin, m.status, {answers} AS answers, m.text \
             FROM messages m JOIN conversations v ON v.id = m.conversation_id \
             JOIN contacts c ON c.id = v.contact_id JOIN connections n ON n.id = m.connection_id"
        );
        let mut rows = sqlx::query(AssertSqlSafe(statement)).fetch(connection);
        let mut messages = Vec::new();
        while let Some(row) = rows.try_next().await? {
            messages.push(Message {
                id: row.try_get("id")?,
                mid: row.try_get("mid")?,
                account: row.try_get("account")?,
                customer: row.try_get("customer")?,
                organization: row.try_get("organization")?,
                direction: row.try_get("direction")?,
                origin: row.try_get("origin")?,
                status: row.try_get("status")?,
                // SQLite makes an empty text of what is null.
                answers: row.try_get::<Option<String>, _>("answers")?.filter(|id| !id.is_empty()),
                text: row.try_get::<Option<String>, _>("text")?.filter(|text| !text.is_empty()),
            });
        }
        Ok(messages)
    }

    async fn usage(&self, connection: &mut AnyConnection) -> anyhow::Result<BTreeMap<(String, String), i64>> {
        let id = (self.id)("organization_id");
        // A counter may be spread over several rows.
        let statement = format!(
            "SELECT {id} AS organization, metric, CAST(SUM(count) AS bigint) AS count FROM usage_counters GROUP BY 1, 2"
        );
        let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(connection).await?;
        let mut usage = BTreeMap::new();
        for row in rows {
            usage.insert((row.try_get("organization")?, row.try_get("metric")?), row.try_get("count")?);
        }
        Ok(usage)
    }
}

async fn jobs(connection: &mut AnyConnection) -> anyhow::Result<Vec<Job>> {
    let now = crate::output::now();
    let statement = format!(
        "SELECT kind, state, CASE WHEN run_at > {now} THEN 1 ELSE 0 END AS future, COUNT(*) AS count \
         FROM jobs GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    );
    let rows = sqlx::query(AssertSqlSafe(statement)).fetch_all(connection).await?;
    let of = |row: AnyRow| -> Result<Job, sqlx::Error> {
        Ok(Job {
            kind: row.try_get("kind")?,
            state: row.try_get("state")?,
            // One database has wider numbers here than the other.
            future: row.try_get::<i64, _>("future").or_else(|_| row.try_get::<i32, _>("future").map(i64::from))? == 1,
            count: row.try_get("count")?,
        })
    };
    Ok(rows.into_iter().map(of).collect::<Result<_, _>>()?)
}

async fn unread(connection: &mut AnyConnection) -> anyhow::Result<BTreeMap<(String, String), i64>> {
    let statement = "SELECT n.external_id AS account, c.external_id AS customer, \
                     CAST(v.unread_count AS bigint) AS count FROM conversations v \
                     JOIN contacts c ON c.id = v.contact_id JOIN connections n ON n.id = v.connection_id";
    let mut unread = BTreeMap::new();
    for row in sqlx::query(statement).fetch_all(connection).await? {
        *unread.entry((row.try_get("account")?, row.try_get("customer")?)).or_default() +=
            row.try_get::<i64, _>("count")?;
    }
    Ok(unread)
}

async fn deliveries(connection: &mut AnyConnection) -> anyhow::Result<BTreeMap<String, i64>> {
    let statement = "SELECT state, COUNT(*) AS count FROM deliveries GROUP BY 1";
    let rows = sqlx::query(statement).fetch_all(connection).await?;
    let of = |row: AnyRow| -> Result<_, sqlx::Error> { Ok((row.try_get("state")?, row.try_get("count")?)) };
    Ok(rows.into_iter().map(of).collect::<Result<_, _>>()?)
}

async fn attempts(connection: &mut AnyConnection) -> anyhow::Result<Vec<(String, String, String, i64)>> {
    let statement = "SELECT j.kind, a.outcome, COALESCE(a.error_class, '') AS class, COUNT(*) AS count \
                     FROM job_attempts a JOIN jobs j ON j.id = a.job_id GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
    let rows = sqlx::query(statement).fetch_all(connection).await?;
    let of = |row: AnyRow| -> Result<_, sqlx::Error> {
        Ok((row.try_get("kind")?, row.try_get("outcome")?, row.try_get("class")?, row.try_get("count")?))
    };
    Ok(rows.into_iter().map(of).collect::<Result<_, _>>()?)
}
