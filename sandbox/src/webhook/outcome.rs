//! What an answer to a webhook leads to: done, another try, an alert, or the end of the subscription.
//! The rules of time stand here alone; they use the sandbox's clock.

use crate::{
    config::SignWith,
    faults::Group,
    world::{World, accounts::Login},
};

use super::{
    delivery::{Attempt, State},
    signature,
};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Waits after the first failures; the last one repeats.
const RETRIES: [i64; 6] = [0, 5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE];
const ALERT_AFTER: i64 = 15 * MINUTE;
const DISABLE_AFTER: i64 = HOUR;
const CHANGES_FOR: i64 = 36 * HOUR;

/// A secret nobody has.
const WRONG_SECRET: &str = "sandbox-a-secret-nobody-has";

/// One POST, ready to be made outside the lock.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) epoch: u64,
    pub(crate) index: usize,
    pub(crate) url: String,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) budget_ms: u64,
    /// By the sandbox's clock.
    started_at: i64,
    signature: &'static str,
}

/// How a POST went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Option<u16>,
    pub(crate) ms: u64,
    pub(crate) error: Option<String>,
}

/// The signature headers under a secret.
pub(crate) fn headers(secret: &str, body: &[u8], sha256: bool) -> Vec<(&'static str, String)> {
    let mut headers = vec![("x-hub-signature", format!("sha1={}", signature::sha1(secret, body)))];
    if sha256 {
        headers.push(("x-hub-signature-256", format!("sha256={}", signature::sha256(secret, body))));
    }
    headers
}

impl World {
    /// The secret that signs for this app, and its name.
    pub(crate) fn signing_secret(&self, app: Login, with: SignWith) -> (&str, &'static str) {
        match (with, app) {
            (SignWith::Instagram, _) | (SignWith::Product, Login::Instagram) => {
                (&self.config.instagram_app_secret, "instagram")
            }
            (SignWith::Meta, _) | (SignWith::Product, Login::Facebook) => (&self.config.meta_app_secret, "meta"),
            (SignWith::Wrong, _) => (WRONG_SECRET, "wrong"),
        }
    }

    /// Makes the POST of a delivery that is due.
    pub(crate) fn job(&mut self, index: usize) -> Option<Job> {
        let now = self.clock.now();
        let delivery = &mut self.queue.deliveries[index];
        delivery.first_attempt_at.get_or_insert(now);
        let (object, app) = (delivery.object, delivery.app);
        let account = delivery.accounts.first().map(|account| self.accounts.get(*account).id.clone());
        let account = account.unwrap_or_default();
        let Some(url) = self.webhook_url(object).map(str::to_owned) else {
            self.queue.deliveries[index].error = Some("no webhook address is set".to_owned());
            self.queue.finish(index, State::Skipped);
            self.queue.leave_lane(index);
            self.queue.notify_watchers(index);
            return None;
        };
        let fault = self.faults.fire(Group::Attempt, &account, &[], &mut self.rng);
        let with = match fault.as_ref().map(|fault| fault.name) {
            Some("bad_signature") => SignWith::Wrong,
            _ => self.config.sign_with,
        };
        let sha1_only = fault.is_some_and(|fault| fault.name == "sha1_only");
        let (secret, name) = self.signing_secret(app, with);
        let body = self.queue.deliveries[index].body.clone();
        Some(Job {
            epoch: self.epoch,
            index,
            url,
            headers: headers(secret, &body, !sha1_only),
            body,
            budget_ms: self.config.answer_budget_ms,
            started_at: now,
            signature: if sha1_only { "sha1Only" } else { name },
        })
    }

    /// Notes how a POST went.
    pub(crate) fn finish_job(&mut self, job: &Job, outcome: Outcome) {
        // A reset in between: the delivery is not of this world.
        if job.epoch != self.epoch {
            return;
        }
        // Waits count from the start of an attempt: a test that moves the clock as soon as it has seen one
        // must find the next one due.
        let now = job.started_at;
        let index = job.index;
        let good = outcome.status == Some(200);
        let delivery = &mut self.queue.deliveries[index];
        delivery.attempts.push(Attempt {
            at: now,
            status: outcome.status,
            ms: outcome.ms,
            error: outcome.error,
            signature: job.signature,
        });
        let gone = delivery.state == State::Dropped;
        let accounts = delivery.accounts.clone();
        if good {
            self.counters.webhooks_delivered += 1;
            self.queue.finish(index, State::Delivered);
            for account in accounts {
                let account = self.accounts.get_mut(account);
                account.failing_since = None;
                account.alerted_at = None;
            }
        } else {
            self.counters.webhooks_failed += 1;
            if !gone {
                self.failed(index, &accounts, now);
            }
        }
        self.queue.leave_lane(index);
        self.queue.notify_watchers(index);
    }

    fn failed(&mut self, index: usize, accounts: &[usize], now: i64) {
        let delivery = &self.queue.deliveries[index];
        let first = delivery.first_attempt_at.unwrap_or(now);
        let tries = delivery.attempts.len().saturating_sub(1).min(RETRIES.len() - 1);
        let next = now + RETRIES[tries];
        if delivery.changes {
            if now - first >= CHANGES_FOR {
                self.drop_delivery(index, "36 hours of failure");
            } else {
                self.queue.retry_at(index, next.min(first + CHANGES_FOR));
            }
            return;
        }
        let mut end = i64::MAX;
        let mut disabled = false;
        for account in accounts {
            let account_state = self.accounts.get_mut(*account);
            let since = *account_state.failing_since.get_or_insert(now);
            if now - since >= ALERT_AFTER {
                account_state.alerted_at.get_or_insert(now);
            }
            if now - since >= DISABLE_AFTER {
                self.disable(*account, now);
                disabled = true;
            }
            end = end.min(since + DISABLE_AFTER);
        }
        if disabled {
            // Disabling drops what the account has open; a batch with others ends with it.
            if self.queue.deliveries[index].state != State::Dropped {
                self.drop_delivery(index, "an hour of failure");
            }
        } else {
            self.queue.retry_at(index, next.min(end));
        }
    }

    /// Meta's "webhooks disabled": nothing more for this account until it subscribes again.
    fn disable(&mut self, account: usize, now: i64) {
        let state = self.accounts.get_mut(account);
        state.subscribed = false;
        state.disabled_at = Some(now);
        let open: Vec<usize> = self
            .queue
            .unfinished()
            .filter(|index| {
                let delivery = &self.queue.deliveries[*index];
                !delivery.changes && delivery.accounts == [account]
            })
            .collect();
        for index in open {
            self.drop_delivery(index, "an hour of failure: the account was unsubscribed");
        }
    }

    fn drop_delivery(&mut self, index: usize, why: &str) {
        self.queue.deliveries[index].error = Some(why.to_owned());
        self.queue.finish(index, State::Dropped);
        self.counters.webhooks_dropped += 1;
    }
}
