//! Settings of the inbox: the chat model behind automatic replies, and where files are read from.

use super::duration;
use super::problem::Problems;
use super::source::Source;
use std::time::Duration;

const AI_TIMEOUT: Duration = Duration::from_secs(20);

/// The chat model; `None` where no address is set.
pub(super) fn ai(source: &Source, p: &mut Problems) -> Option<ai::Client> {
    let timeout = duration(source, "AI_TIMEOUT", AI_TIMEOUT, p);
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
    match ai::Client::new(ai::Settings { base_url: base_url.to_owned(), api_key, model: model.to_owned(), timeout }) {
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
