//! Everything that a test's database holds, as it lies there: for tests that look for what must not be in it.

use crate::Database;
use crate::psql;
use anyhow::{Context as _, ensure};
use std::path::Path;
use std::process::{Command, Stdio};

/// Every key of a Redis database with its content, whatever its type.
const REDIS: &str = "local all = {} \
    local read = { string = {'GET'}, list = {'LRANGE', 0, -1}, set = {'SMEMBERS'}, zset = {'ZRANGE', 0, -1, 'WITHSCORES'}, \
                   hash = {'HGETALL'}, stream = {'XRANGE', '-', '+'} } \
    for _, key in ipairs(redis.call('KEYS', '*')) do \
        local how = read[redis.call('TYPE', key).ok] \
        local call = { how[1], key } \
        for n = 2, #how do call[#call + 1] = how[n] end \
        all[#all + 1] = key \
        all[#all + 1] = cjson.encode(redis.call(unpack(call))) \
    end \
    return all";

impl Database {
    /// The bytes of a SQLite file with its log, or every row of every table on Postgres as text.
    pub fn dump(&self) -> anyhow::Result<Vec<u8>> {
        if !self.setup().has_postgres() {
            let file = self.url().trim_start_matches("sqlite://").split('?').next().unwrap_or_default();
            let mut all = Vec::new();
            for end in ["", "-wal"] {
                let path = format!("{file}{end}");
                if Path::new(&path).exists() {
                    all.extend(std::fs::read(&path).with_context(|| format!("{path} could not be read"))?);
                }
            }
            return Ok(all);
        }
        let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename";
        let mut all = String::new();
        for table in psql::run(self.url(), tables)?.lines() {
            all.push_str(&psql::run(self.url(), &format!("SELECT t::text FROM \"{table}\" t"))?);
            all.push('\n');
        }
        Ok(all.into_bytes())
    }

    /// Every key of the Redis database with its content; nothing where there is none.
    pub fn dump_redis(&self) -> anyhow::Result<Vec<u8>> {
        let Some(url) = self.redis_url() else { return Ok(Vec::new()) };
        let mut command = Command::new("redis-cli");
        command.args(["-u", url, "--raw", "EVAL", REDIS, "0"]).stdin(Stdio::null());
        let done = command.output().context("redis-cli could not be started")?;
        let said = String::from_utf8_lossy(&done.stdout);
        ensure!(done.status.success() && !said.starts_with("ERR"), "redis-cli: {said}");
        Ok(done.stdout)
    }
}
