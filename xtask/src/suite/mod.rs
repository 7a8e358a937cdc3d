//! `test`: every test there is, in steps, with a table of how many of which kind ran. A step that fails does not keep the
//! others from running, and what cannot be run is said, never left out.

mod advisories;
mod build;
mod chaos;
mod checks;
mod compose;
mod nextest;
mod report;
mod rows;
pub mod run;
mod scenarios;
pub mod servers;
mod tools;

use crate::output;
use anyhow::bail;
use build::Built;
use clap::Args;
use rows::{Row, Rows};
use std::time::Instant;
use testbed::Setup;

#[derive(Debug, Args)]
pub struct Test {
    /// Only this step; may be given several times.
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// The scenarios on this set-up only: sqlite, postgres or postgres+redis. What needs both servers is not run on the first
    /// two, and the table says so.
    #[arg(long)]
    setup: Option<Setup>,
    /// Name the steps and what they do, and run nothing.
    #[arg(long)]
    list: bool,
}

/// What the steps work with.
struct Asked {
    built: Built,
    /// What the scenarios are run on.
    setups: Vec<Setup>,
}

/// A part of the suite.
struct Step {
    name: &'static str,
    about: &'static str,
    run: fn(&Asked) -> anyhow::Result<Vec<Row>>,
}

/// Every step, in the order in which they use what the ones before them built.
const STEPS: [Step; 13] = [
    Step { name: "format", about: "cargo fmt --all --check", run: checks::format },
    Step { name: "lint", about: "clippy over every target, warnings are errors", run: checks::lint },
    Step {
        name: "image",
        about: "clippy over the program as it goes into an image: without sandbox and failpoints",
        run: checks::image,
    },
    Step {
        name: "tests",
        about: "unit tests; the scenarios on SQLite, on Postgres, and on Postgres + Redis; by cargo-nextest",
        run: scenarios::run,
    },
    Step { name: "examples", about: "the examples in the documentation, by cargo test --doc", run: checks::examples },
    Step { name: "docs", about: "rustdoc, warnings are errors", run: checks::docs },
    Step { name: "openapi", about: "openapi/openapi.json is what the program prints", run: checks::openapi },
    Step { name: "licenses", about: "cargo deny: licenses of every dependency", run: checks::licenses },
    Step {
        name: "bans",
        about: "cargo deny: crates that must not come in, and where crates come from",
        run: checks::bans,
    },
    Step {
        name: "advisories",
        about: "cargo deny: known weaknesses, where their list can be had",
        run: advisories::run,
    },
    Step {
        name: "compose",
        about: "docker-compose.yml is valid, and its commands and settings are the program's",
        run: compose::run,
    },
    Step { name: "demo", about: "cargo xtask demo --check", run: checks::demo },
    Step {
        name: "chaos",
        about: "short runs of cargo xtask chaos: processes and servers killed, stopped past their lease, replaced in order",
        run: chaos::run,
    },
];

impl Test {
    pub fn run(self) -> anyhow::Result<bool> {
        if self.list {
            STEPS.iter().for_each(|step| output::line(&format!("{:<12} {}", step.name, step.about)));
            return Ok(true);
        }
        let names = || STEPS.map(|step| step.name).join(", ");
        if let Some(unknown) = self.only.iter().find(|name| STEPS.iter().all(|step| step.name != **name)) {
            bail!("there is no step {unknown}; the steps are {}", names());
        }
        let setups = self.setup.map_or_else(|| Setup::ALL.to_vec(), |setup| vec![setup]);
        let (asked, mut rows) = (Asked { built: Built::default(), setups }, Rows::default());
        for step in STEPS {
            if !self.only.is_empty() && self.only.iter().all(|name| name != step.name) {
                continue;
            }
            output::progress(&format!("==> {}: {}", step.name, step.about));
            let began = Instant::now();
            match (step.run)(&asked) {
                Ok(of_step) => rows.extend(of_step),
                Err(error) => {
                    output::progress(&format!("{}: {error:#}", step.name));
                    rows.extend(vec![Row::check(step.name, false, began.elapsed())]);
                }
            }
        }
        Ok(rows.print())
    }
}
