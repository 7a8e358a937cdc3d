//! Which faults are on, and whether one fires now: by a rate of the seeded generator or for the next N.
//! At most one fault of a group fires at a time, the one switched on first.

use std::collections::BTreeMap;

use rand::{RngExt, rngs::StdRng};
use serde_json::{Map, Value, json};

use super::{
    Group,
    catalogue::{self, Fault},
};

/// A fault that has been switched on.
#[derive(Debug)]
pub(crate) struct Active {
    id: u64,
    fault: &'static Fault,
    rate: Option<f64>,
    remaining: Option<u64>,
    account_id: Option<String>,
    params: Map<String, Value>,
    fired: u64,
}

impl Active {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id, "name": self.fault.name, "rate": self.rate, "remaining": self.remaining,
            "accountId": self.account_id, "params": self.params, "fired": self.fired,
        })
    }
}

/// A fault as it happens.
#[derive(Debug, Clone)]
pub(crate) struct Fired {
    pub(crate) name: &'static str,
    params: Map<String, Value>,
}

impl Fired {
    pub(crate) fn number(&self, key: &str) -> u64 {
        self.params.get(key).and_then(Value::as_u64).unwrap_or_default()
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.params.get(key).and_then(Value::as_str)
    }
}

/// Why a fault was not switched on.
#[derive(Debug)]
pub(crate) enum Refused {
    Unknown,
    Invalid(String),
}

/// What someone wants to switch on.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) rate: Option<f64>,
    pub(crate) count: Option<u64>,
    pub(crate) account_id: Option<String>,
    pub(crate) params: Map<String, Value>,
}

/// All faults of a sandbox.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    active: Vec<Active>,
    last_id: u64,
    fired: BTreeMap<&'static str, u64>,
}

/// The largest number a parameter takes: a day in milliseconds.
const LARGEST: u64 = 86_400_000;

/// Spent faults stay in the list to be read, up to this many.
const KEPT: usize = 500;

impl Faults {
    pub(crate) fn add(&mut self, wanted: Wanted) -> Result<Value, Refused> {
        let fault = catalogue::find(&wanted.name).ok_or(Refused::Unknown)?;
        if wanted.rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            return Err(Refused::Invalid("rate must be 0 to 1".to_owned()));
        }
        let mut params = fault.defaults();
        for (key, value) in wanted.params {
            let Some(default) = params.get(&key) else {
                let known: Vec<_> = params.keys().cloned().collect();
                return Err(Refused::Invalid(format!(
                    "{} has no parameter {key}; it has: {}",
                    fault.name,
                    known.join(", ")
                )));
            };
            let fits = if default.is_u64() {
                value.as_u64().is_some_and(|number| number <= LARGEST)
            } else {
                value.is_string()
            };
            if !fits {
                return Err(Refused::Invalid(format!("parameter {key} is like {default}, at most {LARGEST}")));
            }
            params.insert(key, value);
        }
        if self.active.len() >= KEPT {
            self.active.retain(|active| active.remaining != Some(0));
        }
        self.last_id += 1;
        let active = Active {
            id: self.last_id,
            fault,
            rate: wanted.rate,
            remaining: wanted.count,
            account_id: wanted.account_id,
            params,
            fired: 0,
        };
        let shown = active.to_json();
        self.active.push(active);
        Ok(shown)
    }

    /// The fault of that group that hits this account now, if any; `except` names those that cannot apply here.
    pub(crate) fn fire(&mut self, group: Group, account: &str, except: &[&str], rng: &mut StdRng) -> Option<Fired> {
        self.fire_any(group, &[account], except, rng)
    }

    /// The same for a call that concerns several: an account and the person who signed in, say.
    pub(crate) fn fire_any(&mut self, group: Group, ids: &[&str], except: &[&str], rng: &mut StdRng) -> Option<Fired> {
        for active in &mut self.active {
            let meant = active.fault.group == group
                && active.remaining != Some(0)
                && !except.contains(&active.fault.name)
                && active.account_id.as_deref().is_none_or(|id| ids.contains(&id));
            if !meant || active.rate.is_some_and(|rate| !rng.random_bool(rate)) {
                continue;
            }
            active.remaining = active.remaining.map(|left| left - 1);
            active.fired += 1;
            *self.fired.entry(active.fault.name).or_default() += 1;
            return Some(Fired { name: active.fault.name, params: active.params.clone() });
        }
        None
    }

    /// Ends those that match; without a name and an id, all.
    pub(crate) fn remove(&mut self, name: Option<&str>, id: Option<u64>) -> usize {
        let before = self.active.len();
        self.active.retain(|active| {
            name.is_some_and(|name| name != active.fault.name) || id.is_some_and(|id| id != active.id)
        });
        before - self.active.len()
    }

    pub(crate) fn to_json(&self) -> Value {
        self.active.iter().map(Active::to_json).collect()
    }

    pub(crate) fn fired(&self) -> &BTreeMap<&'static str, u64> {
        &self.fired
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn wanted(name: &str, rate: Option<f64>, count: Option<u64>) -> Wanted {
        Wanted { name: name.to_owned(), rate, count, ..Wanted::default() }
    }

    #[test]
    fn counts_run_out_and_rates_hold() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut faults = Faults::default();
        faults.add(wanted("transient", None, Some(2))).unwrap();
        let fired = (0..5).filter(|_| faults.fire(Group::Refusal, "a", &[], &mut rng).is_some()).count();
        assert_eq!(fired, 2);
        faults.add(wanted("no_echo", Some(0.25), None)).unwrap();
        let fired = (0..4000).filter(|_| faults.fire(Group::Echo, "a", &[], &mut rng).is_some()).count();
        assert!((850..1150).contains(&fired), "{fired}");
        assert_eq!(faults.remove(Some("no_echo"), None), 1);
        assert_eq!(faults.remove(None, None), 1);
    }

    #[test]
    fn nonsense_is_refused() {
        let mut faults = Faults::default();
        assert!(matches!(faults.add(wanted("nope", None, None)), Err(Refused::Unknown)));
        assert!(matches!(faults.add(wanted("transient", Some(2.0), None)), Err(Refused::Invalid(_))));
        let mut bad = wanted("slow_answer", None, None);
        bad.params.insert("seconds".to_owned(), json!(1));
        assert!(matches!(faults.add(bad), Err(Refused::Invalid(_))));
    }

    #[test]
    fn an_account_of_its_own() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut faults = Faults::default();
        let mut one = wanted("transient", None, None);
        one.account_id = Some("b".to_owned());
        faults.add(one).unwrap();
        assert!(faults.fire(Group::Refusal, "a", &[], &mut rng).is_none());
        assert!(faults.fire(Group::Refusal, "b", &[], &mut rng).is_some());
        assert!(faults.fire(Group::Refusal, "b", &["transient"], &mut rng).is_none());
    }
}
