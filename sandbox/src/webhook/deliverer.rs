//! The one task that sends webhooks: takes what is due, never more at once than the settings allow.
//! It sleeps until the next thing is due by either clock, or until the world has changed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::world::{Shared, World};

use super::outcome::{Job, Outcome};

/// Delivers for as long as the sandbox lives.
pub(crate) async fn deliver(shared: Arc<Shared>) {
    let mut under_way = JoinSet::new();
    loop {
        let (jobs, wait) = shared.read(|world| next(world, under_way.len()));
        for job in jobs {
            under_way.spawn(attempt(Arc::clone(&shared), job));
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
            () = tokio::time::sleep(wait.unwrap_or(Duration::from_secs(3600))) => {}
        }
        // Every finished task must be taken out, or the count of those under way is too high.
        while under_way.try_join_next().is_some() {}
    }
}

fn next(world: &mut World, under_way: usize) -> (Vec<Job>, Option<Duration>) {
    let real = Instant::now();
    world.do_later(real);
    world.let_bots_write();
    let capacity = world.config.delivery_concurrency.saturating_sub(under_way);
    let now = world.clock.now();
    let due = world.queue.take_due(now, capacity);
    let taken = due.len();
    let jobs = due.into_iter().filter_map(|index| world.job(index)).collect();
    // With no capacity left only the end of an attempt matters, and that wakes us.
    let by_clock =
        (taken < capacity).then(|| world.queue.next_due().and_then(|due| world.clock.real_wait(due))).flatten();
    let by_time = world.queue.next_later().map(|at| at.saturating_duration_since(real));
    let by_bots = world.bots.next_due().and_then(|due| world.clock.real_wait(due));
    (jobs, [by_clock, by_time, by_bots].into_iter().flatten().min())
}

async fn attempt(shared: Arc<Shared>, job: Job) {
    let outcome = post(&shared.http, &job.url, &job.headers, job.body.clone(), job.budget_ms).await;
    shared.with(|world| world.finish_job(&job, outcome));
}

/// Makes one POST and reads its answer to the end, all within the budget.
pub(crate) async fn post(
    http: &reqwest::Client,
    url: &str,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
    budget_ms: u64,
) -> Outcome {
    let started = Instant::now();
    let mut request =
        http.post(url).header("content-type", "application/json").timeout(Duration::from_millis(budget_ms)).body(body);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let result = answer(request).await;
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match result {
        Ok(status) => Outcome { status: Some(status), ms, error: None },
        Err(error) => {
            let what = match (error.is_timeout(), error.is_connect()) {
                (true, _) => format!("no answer within {budget_ms} ms"),
                (_, true) => "connection refused".to_owned(),
                _ => "connection ended without an answer".to_owned(),
            };
            Outcome { status: None, ms, error: Some(what) }
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<u16, reqwest::Error> {
    let mut response = request.send().await?;
    let mut seen = 0;
    // Read, so that the connection can be used again; a receiver that says too much loses it.
    while let Some(chunk) = response.chunk().await? {
        seen += chunk.len();
        if seen > 64 * 1024 {
            break;
        }
    }
    Ok(response.status().as_u16())
}
