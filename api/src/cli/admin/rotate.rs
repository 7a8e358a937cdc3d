//! Seals every token and every login in progress again with the first key, beside the running service, and says whether the
//! older keys may go. It fails where one of them is still needed, so that a script does not take it away.

use crate::cli::output;
use clap::Args;
use domain::Context;
use domain::audit::{self, Actor, Entry};
use domain::clock::MINUTE;
use domain::connect::LIFETIME;
use domain::rotation::{self, InUse, Rotated};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// Between two lines about the progress, at least.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What `--help` teaches.
pub const ORDER: &str = "\
The order of a rotation, in which no process ever meets a key that it does not have:

  1. Make a key with a new id:  echo k2:$(openssl rand -base64 32)
     Append it in TOKEN_ENCRYPTION_KEYS of every process, after the old one (k1:…,k2:…), and
     restart them all.
  2. Put it first (k2:…,k1:…), and restart them all. From now on it seals whatever is new.
  3. Run this command with the same setting, as often as you like; the service goes on meanwhile.
  4. When it says so, take the old key out (k2:…), and restart them all. Keep it with the
     backups made before: what is restored from them needs it.

It exits 1 while an older key is still needed, or when something cannot be opened with any key.";

#[derive(Debug, Args)]
pub struct RotateKeys {}

/// How things stand at the end.
struct Standing {
    sealing_key: String,
    older: Vec<String>,
    done: Rotated,
    in_use: BTreeMap<Option<String>, InUse>,
}

impl RotateKeys {
    pub async fn run(self, ctx: &Context, json: bool) -> anyhow::Result<()> {
        let done = rotate(ctx, json).await?;
        let standing = Standing {
            sealing_key: ctx.vault.sealing_key().to_owned(),
            older: ctx.vault.key_ids().skip(1).map(str::to_owned).collect(),
            done,
            in_use: rotation::keys_in_use(ctx.db.read()).await?,
        };
        let tx = ctx.db.begin().await?;
        let entry = Entry::new(Actor::CommandLine, "keys.rotated", None).target(standing.sealing_key.as_str());
        audit::record(tx.conn(), ctx.now(), entry.details(standing.counts())).await?;
        tx.commit().await?;
        output::say(json, &standing.sentence(), &standing.value())?;
        standing.verdict()
    }
}

/// Goes through everything until nothing was changed by others meanwhile.
async fn rotate(ctx: &Context, quiet: bool) -> anyhow::Result<Rotated> {
    let (mut done, mut told) = (Rotated::default(), Instant::now());
    loop {
        let before = done;
        let pass = rotation::rotate(ctx, |now| {
            if !quiet && told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                let (tokens, logins) = (before.tokens + now.tokens, before.logins + now.logins);
                let line = format!("{tokens} tokens and {logins} logins sealed again, {} unreadable", now.unreadable);
                // Who closed standard error does not want to know.
                let _unheard = writeln!(std::io::stderr(), "{line}");
            }
        })
        .await?;
        done.tokens += pass.tokens;
        done.logins += pass.logins;
        // What no key opens is met again by every pass.
        done.unreadable = pass.unreadable;
        if pass.overtaken == 0 {
            return Ok(done);
        }
    }
}

impl Standing {
    /// What the audit trail keeps.
    fn counts(&self) -> Value {
        let Rotated { tokens, logins, unreadable, .. } = self.done;
        json!({ "sealingKey": self.sealing_key, "tokens": tokens, "logins": logins, "unreadable": unreadable })
    }

    /// Older keys of the setting that nothing needs any more.
    fn removable(&self) -> bool {
        self.left() == 0 && self.done.unreadable == 0
    }

    /// Values that are sealed with another key of ours than the first.
    fn left(&self) -> u64 {
        let others = self.in_use.iter().filter(|(key, _)| key.as_ref().is_some_and(|key| self.older.contains(key)));
        others.map(|(_, in_use)| in_use.tokens + in_use.logins).sum()
    }

    fn value(&self) -> Value {
        let keys: Vec<_> = self
            .in_use
            .iter()
            .map(|(id, in_use)| json!({ "id": id, "tokens": in_use.tokens, "logins": in_use.logins }))
            .collect();
        let mut value = self.counts();
        value["keys"] = keys.into();
        value["olderKeys"] = json!(self.older);
        value["olderKeysRemovable"] = self.removable().into();
        value
    }

    fn sentence(&self) -> String {
        let Rotated { tokens, logins, .. } = self.done;
        let mut text =
            format!("{tokens} tokens and {logins} logins were sealed again with the key {}.", self.sealing_key);
        for (key, in_use) in &self.in_use {
            let key = key.as_deref().unwrap_or("no key that is known");
            text.push_str(&format!("\n  {key}: {} tokens, {} logins", in_use.tokens, in_use.logins));
        }
        if self.older.is_empty() {
            text.push_str("\nTOKEN_ENCRYPTION_KEYS has no older key.");
        } else if self.removable() {
            text.push_str(&format!(
                "\nIf every process has {} first, {} may be removed from TOKEN_ENCRYPTION_KEYS; wait {} minutes, for logins \
                 begun with it.",
                self.sealing_key,
                self.older.join(", "),
                LIFETIME / MINUTE
            ));
        } else {
            text.push_str("\nKeep the older keys in TOKEN_ENCRYPTION_KEYS for now.");
        }
        text
    }

    /// What keeps the rotation from being done, with its cure.
    fn verdict(&self) -> anyhow::Result<()> {
        let (unreadable, left) = (self.done.unreadable, self.left());
        let known = |key: &String| *key == self.sealing_key || self.older.contains(key);
        let lost: Vec<_> = self.in_use.keys().flatten().filter(|key| !known(key)).map(String::as_str).collect();
        if unreadable > 0 && !lost.is_empty() {
            anyhow::bail!(
                "{unreadable} values cannot be opened, for TOKEN_ENCRYPTION_KEYS lacks the key {}: append it again and repeat \
                 this, or have the owners connect their accounts anew; `retail-assist doctor` names them",
                lost.join(", ")
            );
        }
        anyhow::ensure!(
            unreadable == 0,
            "{unreadable} values cannot be opened though their key's id is known: the key behind it is another one, or the \
             values were changed; put the right key into TOKEN_ENCRYPTION_KEYS and repeat this, or have the owners connect \
             their accounts anew; `retail-assist doctor` names them"
        );
        anyhow::ensure!(
            left == 0,
            "{left} values were sealed with an older key meanwhile, so a process still has that one first: put {} first in \
             TOKEN_ENCRYPTION_KEYS of every process, restart them, and repeat this",
            self.sealing_key
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(keys: &[(Option<&str>, u64)], older: &[&str], unreadable: u64) -> Standing {
        let used = |(key, tokens): &(Option<&str>, u64)| (key.map(str::to_owned), InUse { tokens: *tokens, logins: 0 });
        Standing {
            sealing_key: "new".to_owned(),
            older: older.iter().map(|key| (*key).to_owned()).collect(),
            done: Rotated { unreadable, ..Rotated::default() },
            in_use: keys.iter().map(used).collect(),
        }
    }

    #[test]
    fn an_older_key_may_go_when_nothing_needs_it() {
        let done = standing(&[(Some("new"), 3)], &["old"], 0);
        assert!(done.removable() && done.verdict().is_ok() && done.sentence().contains("old may be removed"));
        let alone = standing(&[(Some("new"), 3)], &[], 0);
        assert!(alone.verdict().is_ok() && alone.sentence().contains("has no older key"));
    }

    #[test]
    fn what_still_needs_a_key_is_named_with_its_cure() {
        let cases = [
            (standing(&[(Some("new"), 3), (Some("old"), 1)], &["old"], 0), "put new first"),
            (standing(&[(Some("new"), 3), (Some("lost"), 1)], &["old"], 1), "lacks the key lost"),
            (standing(&[(Some("new"), 3), (Some("old"), 1)], &["old"], 1), "the key behind it is another one"),
            (standing(&[(None, 1)], &["old"], 1), "were changed"),
        ];
        for (standing, cure) in cases {
            let told = standing.verdict().unwrap_err().to_string();
            assert!(told.contains(cure), "{told}");
            assert!(!standing.removable() && standing.sentence().contains("Keep the older keys"));
        }
    }
}
