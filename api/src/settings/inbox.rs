//! Settings of the inbox: the chat model behind automatic replies, and where files are read from.

use super::duration;
use super::problem::Problems;
use super::source::Source;
use std::time::Duration;

const AI_TIMEOUT: Duration = Duration::from_secs(20);
/// Calls of this process to the model at once: a quarter of what its sends may use.
const AT_ONCE: usize = 8;

/// The chat model; `None` where no address is set.
pub(super) fn ai(source: &Source, p: &mut Problems) -> Option<ai::Client> {
    let timeout = duration(source, "AI_TIMEOUT", AI_TIMEOUT, p);
    // The job that asks has thirty seconds; the account's own words must still go out in them.
    if !(Duration::from_secs(1)..=Duration::from_secs(25)).contains(&timeout) {
        p.add("AI_TIMEOUT", "must be from 1s to 25s; after that the account's own text is sent");
    }
    let given = |name: &str| source.get(name).filter(|text| !text.is_empty());
    let Some(base_url) = given("AI_BASE_URL") else {
        for name in ["AI_API_KEY", "AI_MODEL"] {
            if given(name).is_some() {
                p.add(name, "is set and AI_BASE_URL is not; set both, or neither");
            }
        }
        return None;
    };
    let Some(model) = given("AI_MODEL") else {
        p.add("AI_MODEL", "is not set; name the model that AI_BASE_URL offers");
        return None;
    };
    let api_key = source.secret("AI_API_KEY");
    match ai::Client::new(ai::Settings {
        base_url: base_url.to_owned(),
        api_key,
        model: model.to_owned(),
        timeout,
        at_once: AT_ONCE,
    }) {
        Ok(client) => Some(client),
        Err(error) => {
            p.add("AI_BASE_URL", error.to_string());
            None
        }
    }
}

/// Further `host:port` that files may be read from.
pub(super) fn media_hosts(source: &Source, p: &mut Problems) -> Vec<String> {
    const NAME: &str = "MEDIA_HOSTS";
    let entries = source.get(NAME).unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let hosts: Vec<String> = entries.map(str::to_owned).collect();
    let whole = |host: &String| {
        let address = host.parse::<http::uri::Authority>();
        address.is_ok_and(|address| address.port().is_some() && !address.host().is_empty() && !host.contains('@'))
    };
    if !hosts.iter().all(whole) {
        p.add(NAME, "must be hosts with their ports, separated by commas, like 127.0.0.1:8090");
    }
    hosts
}
