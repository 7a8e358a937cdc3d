//! What goes wrong, and when: moments drawn from the seed over the time of delivering, each fault a task of its own, so that
//! they fall together now and then. All of them are done and healed when this returns.

use crate::fleet::{Fleet, Member, SERVICES};
use crate::options::Options;
use crate::output;
use crate::servers::Servers;
use crate::world::Deeds;
use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// kill -9 of a process of ours.
    Kill,
    /// FLUSHALL.
    RedisFlush,
    /// Redis dies, and comes back empty.
    RedisRestart,
    /// Postgres dies, and comes back.
    PostgresRestart,
    /// A worker stands still for longer than its lease.
    Pause,
}

/// A fault at its time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// After the first webhook.
    pub at: Duration,
    /// What happens.
    pub fault: Fault,
    /// How long until it is put right.
    pub lasts: Duration,
    /// Which process it is, if it is free at that time.
    pub victim: usize,
}

/// Every fault of a run, in order.
pub fn plan(options: &Options, seed: u64) -> Vec<Planned> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x6661_756c_7473);
    let where_there_is = |server: bool, count: u32| if server { count } else { 0 };
    let (postgres, redis) = (options.setup.has_postgres(), options.setup.has_redis());
    let all = [
        (Fault::Kill, options.kills),
        (Fault::RedisFlush, where_there_is(redis, options.redis_flushes)),
        (Fault::RedisRestart, where_there_is(redis, options.redis_restarts)),
        (Fault::PostgresRestart, where_there_is(postgres, options.postgres_restarts)),
        (Fault::Pause, options.pauses),
    ];
    let mut planned = Vec::new();
    for (fault, count) in all {
        for number in 0..count {
            // One in each share of the time, so that many of a kind do not pile up by chance.
            let share = options.span().as_secs_f64() * 0.94 / f64::from(count);
            let at = options.span().as_secs_f64() * 0.03 + share * (f64::from(number) + rng.random::<f64>());
            let lasts = match fault {
                Fault::Kill => rng.random_range(0.1..2.0),
                Fault::RedisFlush => 0.0,
                Fault::RedisRestart => rng.random_range(0.5..3.0),
                Fault::PostgresRestart => rng.random_range(0.2..3.0),
                Fault::Pause => options.lease().as_secs_f64() * rng.random_range(1.3..2.0),
            };
            let (at, lasts) = (Duration::from_secs_f64(at), Duration::from_secs_f64(lasts));
            planned.push(Planned { at, fault, lasts, victim: 0 });
        }
    }
    planned.sort_by_key(|planned| planned.at);
    take_turns(&mut planned, Fault::Kill, |_| true, &mut rng);
    take_turns(&mut planned, Fault::Pause, |command| command.contains(&"worker"), &mut rng);
    planned
}

/// Every process that may be its victim has its turn before one has a second.
fn take_turns(planned: &mut [Planned], fault: Fault, may_be: fn(&[&str]) -> bool, rng: &mut StdRng) {
    let mut turns: Vec<usize> = Vec::new();
    for planned in planned.iter_mut().filter(|planned| planned.fault == fault) {
        if turns.is_empty() {
            let services = SERVICES.iter().enumerate();
            turns = services.filter(|(_, (_, command))| may_be(command)).map(|(at, _)| at).collect();
            turns.shuffle(rng);
        }
        planned.victim = turns.pop().unwrap_or_default();
    }
}

/// Does all of it, beginning now.
pub async fn run(fleet: &Fleet, servers: &Servers, planned: &[Planned]) -> anyhow::Result<Deeds> {
    let (mut tasks, pausing) = (JoinSet::new(), Arc::new(Mutex::new(())));
    for planned in planned.iter().copied() {
        let candidates: Vec<Arc<Member>> = {
            let mut all = fleet.members.clone();
            let count = all.len();
            all.rotate_left(planned.victim % count);
            all.into_iter().filter(|member| planned.fault != Fault::Pause || member.is_worker()).collect()
        };
        let (servers, pausing) = (servers.clone(), pausing.clone());
        tasks.spawn(async move {
            tokio::time::sleep(planned.at).await;
            // While one stands still, another must be there to take its jobs.
            let _alone = if planned.fault == Fault::Pause { Some(pausing.lock().await) } else { None };
            cause(planned, &candidates, &servers).await.map(|()| planned.fault)
        });
    }
    let mut deeds = Deeds::default();
    while let Some(done) = tasks.join_next().await {
        match done.context("a fault panicked")?? {
            Fault::Kill => deeds.kills += 1,
            Fault::RedisFlush => deeds.redis_flushes += 1,
            Fault::RedisRestart => deeds.redis_restarts += 1,
            Fault::PostgresRestart => deeds.postgres_restarts += 1,
            Fault::Pause => deeds.pauses += 1,
        }
    }
    Ok(deeds)
}

async fn cause(planned: Planned, candidates: &[Arc<Member>], servers: &Servers) -> anyhow::Result<()> {
    let Planned { fault, lasts, .. } = planned;
    let told = |what: &str| output::progress(&format!("{what}, for {:.1} s", lasts.as_secs_f64()));
    match fault {
        Fault::Kill | Fault::Pause => loop {
            // Whoever is down already cannot die; then it is another's turn.
            for member in candidates {
                let done = if fault == Fault::Kill { member.kill(lasts).await? } else { member.pause(lasts).await? };
                if done {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        },
        Fault::RedisFlush => {
            output::progress("FLUSHALL of Redis");
            // While Redis is down there is nothing to flush, and it comes back empty.
            servers.redis(|redis| if redis.pid().is_some() { redis.flush_all() } else { Ok(()) }).await
        }
        Fault::RedisRestart => {
            told("kill -9 Redis");
            // The server is held throughout: nobody else kills or starts it meanwhile.
            servers
                .redis(move |redis| {
                    redis.kill()?;
                    std::thread::sleep(lasts);
                    redis.start_again()
                })
                .await
        }
        Fault::PostgresRestart => {
            told("immediate stop of Postgres");
            servers
                .postgres(move |postgres| {
                    postgres.kill()?;
                    std::thread::sleep(lasts);
                    postgres.start_again()
                })
                .await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::collections::BTreeSet;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn every_fault_that_was_asked_for_is_planned_within_the_time_of_delivering() {
        let asked = ["x", "--program", "p", "--kills", "20", "--pauses", "3", "--webhooks", "1000", "--rate", "100"];
        let options = Cli::parse_from(asked).options;
        let planned = plan(&options, 5);
        let count = |fault: Fault| planned.iter().filter(|planned| planned.fault == fault).count();
        assert_eq!((count(Fault::Kill), count(Fault::Pause), count(Fault::PostgresRestart)), (20, 3, 1));
        assert!(planned.iter().all(|planned| planned.at <= options.span()));
        assert!(planned.windows(2).all(|pair| pair[0].at <= pair[1].at));
        let victims = |fault: Fault, count: usize| -> BTreeSet<usize> {
            planned.iter().filter(|planned| planned.fault == fault).take(count).map(|planned| planned.victim).collect()
        };
        assert_eq!(victims(Fault::Kill, 4), BTreeSet::from([0, 1, 2, 3]));
        assert_eq!(victims(Fault::Pause, 2), BTreeSet::from([2, 3]), "the workers");
        assert_eq!(planned, plan(&options, 5));
        assert!(planned.iter().filter(|one| one.fault == Fault::Pause).all(|one| one.lasts > options.lease()));
    }

    #[test]
    fn no_server_is_killed_that_is_not_there() {
        for (setup, expected) in [("sqlite", 4), ("postgres", 5), ("postgres+redis", 7)] {
            let options = Cli::parse_from(["x", "--program", "p", "--setup", setup]).options;
            assert_eq!(plan(&options, 5).len(), expected, "{setup}");
        }
    }
}
