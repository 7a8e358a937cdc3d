//! Meta's Graph hosts: that they answer, with the version that was asked for, and at our time. It needs neither app nor token,
//! so it tells a network that is shut from an app that is wrong.

use super::clock::{self, Limits};
use super::report::Finding;
use super::{is_wanted, within};
use crate::settings::Settings;
use domain::clock::{Clock as _, DAY, Millis, SECOND, SystemClock, rfc3339};
use meta::client::GRAPH_VERSION;
use meta::{Login, MetaClient, Probe, VersionEnd, version_end};

const AHEAD: Millis = 90 * DAY;
/// Meta tells whole seconds, and the answer takes its time.
const LIMITS: Limits = Limits { warning: 30 * SECOND, problem: 300 * SECOND };

pub async fn check(settings: &Settings, client: &MetaClient) -> Vec<Finding> {
    let mut found = vec![of_version(&settings.meta.graph_version, SystemClock.now())];
    let (facebook, instagram) = tokio::join!(
        host(settings, client, Login::Facebook, "facebook-graph", "FACEBOOK_GRAPH_URL"),
        host(settings, client, Login::Instagram, "instagram-graph", "INSTAGRAM_GRAPH_URL"),
    );
    let ahead = facebook.1.or(instagram.1);
    found.extend(facebook.0);
    found.extend(instagram.0);
    // One is enough: the hosts are Meta's, both of them.
    found.extend(ahead.map(|ahead| clock::judge("meta-clock", "Meta's", ahead, &LIMITS)));
    found
}

/// What a host answers, and how far we are ahead of it.
async fn host(
    settings: &Settings,
    client: &MetaClient,
    login: Login,
    name: &'static str,
    setting: &str,
) -> (Option<Finding>, Option<Millis>) {
    if !is_wanted(settings, login) {
        return (None, None);
    }
    let asked = &settings.meta.graph_version;
    let probe = async {
        match client.probe(login).await {
            Ok(Probe { version, at }) => {
                let ahead = at.map(|at| SystemClock.now().saturating_sub(at));
                (of_answer(name, setting, asked, version.as_deref()), ahead)
            }
            Err(error) => {
                let cure = "let this machine reach it by https, or correct the setting";
                (Finding::problem(name, format!("the host of {setting} does not answer ({error}); {cure}")), None)
            }
        }
    };
    let (finding, ahead) = within(name, probe, |late| (late, None)).await;
    (Some(finding), ahead)
}

fn of_answer(name: &'static str, setting: &str, asked: &str, answered: Option<&str>) -> Finding {
    match answered {
        Some(version) if version == asked => Finding::ok(name, format!("it answers, with {version}")),
        Some(version) => Finding::problem(
            name,
            format!(
                "META_GRAPH_VERSION asks for {asked} and Meta answers with {version}, as it does for versions that have \
                 ended; set META_GRAPH_VERSION to one that lives, such as {GRAPH_VERSION}, which this program is written for"
            ),
        ),
        None => Finding::warning(
            name,
            format!("it answers without saying its version; is the address of {setting} Meta's, and no proxy's?"),
        ),
    }
}

fn of_version(version: &str, now: Millis) -> Finding {
    const NAME: &str = "graph-version";
    let cure = format!("set META_GRAPH_VERSION to a later one; this program is written for {GRAPH_VERSION}");
    let day = |at| rfc3339(at).chars().take(10).collect::<String>();
    match version_end(version) {
        VersionEnd::LongAgo => Finding::problem(NAME, format!("{version} has ended long ago; {cure}")),
        VersionEnd::At(end) if end <= now => {
            Finding::problem(NAME, format!("{version} has ended on {}; {cure}", day(end)))
        }
        VersionEnd::At(end) if end - now <= AHEAD => {
            Finding::warning(NAME, format!("{version} ends on {}; {cure}", day(end)))
        }
        VersionEnd::At(end) => Finding::ok(NAME, format!("{version} is served until {}", day(end))),
        VersionEnd::NotKnown => Finding::ok(NAME, format!("when {version} ends is not known to this program")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Report;
    use super::*;

    #[test]
    fn a_version_is_warned_of_before_it_ends() {
        let VersionEnd::At(end) = version_end("v25.0") else { panic!("it is in the table") };
        let told = |version: &str, now| Report::of(of_version(version, now)).text();
        assert!(told("v25.0", end - AHEAD - 1).starts_with("ok"));
        assert!(told("v25.0", end - AHEAD).starts_with("warning") && told("v25.0", end - 1).contains("2028-07-29"));
        assert!(told("v25.0", end).starts_with("problem"));
        assert!(told("v9.0", 0).starts_with("problem") && told("v99.0", i64::MAX).starts_with("ok"));
    }

    #[test]
    fn another_version_than_the_one_asked_for_is_a_problem() {
        let told = |answered| Report::of(of_answer("g", "FACEBOOK_GRAPH_URL", "v18.0", answered)).text();
        assert!(told(Some("v18.0")).starts_with("ok"));
        assert!(told(Some("v21.0")).starts_with("problem") && told(Some("v21.0")).contains("META_GRAPH_VERSION"));
        assert!(told(None).starts_with("warning"));
    }
}
