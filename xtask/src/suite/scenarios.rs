//! The tests proper: what needs no set-up once, and the scenarios on each set-up with servers started for them. The numbers must
//! be the same on each, or a set-up would have left something out.

use super::nextest::{self, Programs};
use super::rows::Row;
use super::servers::{self, Servers};
use super::{Asked, tools};
use crate::output;
use anyhow::Context as _;
use std::time::Duration;
use testbed::Setup;

/// The test programs whose tests are scenarios: the same on every set-up.
const SCENARIOS: [&str; 5] = ["api::edge", "api::system", "domain::account", "jobs::it", "migration::round_trip"];
/// The test programs that start servers themselves, to kill them, and run once.
const WITH_SERVERS: [&str; 3] = ["domain::postgres", "jobs::bell", "testbed::servers"];

/// Runs them all.
pub fn run(asked: &Asked) -> anyhow::Result<Vec<Row>> {
    tools::NEXTEST.require()?;
    // System tests start the program, so it must be the present one, and look at its pages with a browser.
    asked.built.program()?;
    servers::require_browser()?;
    let mut once = nextest::found()?;
    let scenarios = taken(&mut once, &SCENARIOS)?;
    let with_servers = taken(&mut once, &WITH_SERVERS)?;

    let mut rows = nextest::run(&once, &[])?;
    let on_each: Vec<_> = asked.setups.iter().map(|setup| on(*setup, &scenarios)).collect();
    rows.extend(on_each.iter().flatten().cloned());
    rows.extend(same_everywhere(&on_each));
    if asked.setups.contains(&Setup::PostgresRedis) {
        rows.extend(by_themselves(&with_servers).unwrap_or_else(|error| failed("with servers", &error)));
    } else {
        let why = format!("NOT RUN: needs the set-up {}", Setup::PostgresRedis.name());
        rows.push(Row::not_run("with servers", why, Duration::ZERO));
    }
    Ok(rows)
}

/// Takes the named programs out of all.
fn taken(all: &mut Programs, names: &[&str]) -> anyhow::Result<Programs> {
    // One that has another name now would be taken for one that needs no set-up.
    let take = |name: &&str| all.remove_entry(*name).with_context(|| format!("there is no test program {name}"));
    names.iter().map(take).collect()
}

/// The scenarios on one set-up: their sum, and then each program.
fn on(setup: Setup, scenarios: &Programs) -> Vec<Row> {
    let kind = format!("scenarios on {setup}");
    let rows = ran(setup, scenarios).unwrap_or_else(|error| failed(&kind, &error));
    if rows.iter().any(|row| row.kind == kind) {
        return rows;
    }
    let sum = rows.iter().fold(Row::many(&kind, 0, 0, Duration::ZERO), |sum, row| Row {
        passed: sum.passed + row.passed,
        failed: sum.failed + row.failed,
        missing: sum.missing + row.missing,
        took: sum.took + row.took,
        ..sum
    });
    [sum].into_iter().chain(rows.into_iter().map(|row| Row { part: true, ..row })).collect()
}

/// Whether each program ran as many tests on every set-up, if there is more than one to compare.
fn same_everywhere(on_each: &[Vec<Row>]) -> Option<Row> {
    let (first, others) = on_each.split_first()?;
    if others.is_empty() {
        return None;
    }
    let programs = |rows: &[Row]| -> Vec<(String, usize)> {
        rows.iter().filter(|row| row.part).map(|row| (row.kind.clone(), row.ran())).collect()
    };
    let same = !programs(first).is_empty() && others.iter().all(|rows| programs(rows) == programs(first));
    let whole = |rows: &Vec<Row>| rows.iter().filter(|row| !row.part).map(Row::ran).sum::<usize>().to_string();
    let mut row = Row::check("the same number on each set-up", same, Duration::ZERO);
    row.note = Some(on_each.iter().map(whole).collect::<Vec<_>>().join(if same { " = " } else { ", " }));
    Some(row)
}

fn ran(setup: Setup, programs: &Programs) -> anyhow::Result<Vec<Row>> {
    output::progress(&format!("--> on {setup}"));
    // They end with this.
    let servers = Servers::start(setup)?;
    nextest::run(programs, &servers.environment())
}

fn by_themselves(programs: &Programs) -> anyhow::Result<Vec<Row>> {
    output::progress("--> with servers of their own");
    servers::require_for(Setup::PostgresRedis)?;
    nextest::run(programs, &[])
}

/// A set-up that could not be had does not keep the others from being tested.
fn failed(kind: &str, error: &anyhow::Error) -> Vec<Row> {
    output::progress(&format!("{kind}: {error:#}"));
    vec![Row::check(kind, false, Duration::ZERO)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_a_setup(counts: &[(&str, usize, usize)]) -> Vec<Row> {
        let parts = counts.iter().map(|(kind, passed, missing)| {
            let row = Row::many(kind, *passed, *missing, Duration::ZERO);
            Row { missing: *missing, part: true, ..row }
        });
        let all = counts.iter().map(|(_, passed, _)| passed).sum();
        [Row::many("all", all, 0, Duration::ZERO)].into_iter().chain(parts).collect()
    }

    #[test]
    fn a_setup_that_leaves_something_out_is_seen() {
        let all = on_a_setup(&[("jobs", 9, 0), ("api", 3, 0)]);
        let same = same_everywhere(&[all.clone(), all.clone()]).unwrap();
        assert_eq!((same.failed, same.note.as_deref()), (0, Some("12 = 12")));
        let fewer = on_a_setup(&[("jobs", 8, 1), ("api", 3, 0)]);
        let differs = same_everywhere(&[all.clone(), all.clone(), fewer]).unwrap();
        assert_eq!((differs.failed, differs.note.as_deref()), (1, Some("12, 12, 11")));
        let moved = on_a_setup(&[("jobs", 8, 0), ("api", 4, 0)]);
        assert_eq!(same_everywhere(&[all.clone(), moved]).unwrap().failed, 1);
        let none = failed("scenarios on Postgres", &anyhow::anyhow!("no server"));
        assert_eq!(same_everywhere(&[all.clone(), none]).unwrap().failed, 1);
        assert!(same_everywhere(&[all]).is_none());
    }
}
