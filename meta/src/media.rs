//! Files that people send: they lie on Meta's delivery network under addresses that expire. Only hosts of Meta are asked, only
//! public addresses are connected to, and no more is read than allowed, for what stands in a webhook may be anything.

mod address;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, Url, redirect, retry};
use thiserror::Error;

use crate::client::SettingsError;

/// Domains of Meta's delivery network; hosts under them are asked by https.
pub const HOSTS: &[&str] = &["fbsbx.com", "fbcdn.net", "cdninstagram.com"];

/// The largest file that Meta lets people send (§6.1).
pub const MAX_BYTES: u64 = 25 * 1024 * 1024;
/// The largest picture that is read.
pub const MAX_PICTURE_BYTES: u64 = 8 * 1024 * 1024;

/// Types of files that are taken for what they say.
const TYPES: &[&str] = &["image/", "video/", "audio/", "application/pdf"];
const HOPS: usize = 3;

/// Reads files. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MediaClient {
    http: reqwest::Client,
    /// Further `host:port`, as the operator has named them; for a local Meta.
    also: Arc<[String]>,
}

/// A file.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// Without parameters, in lower case.
    pub content_type: String,
    /// How long it is, as far as the answer says or was read.
    pub bytes: Option<u64>,
    /// The file itself, of pictures only.
    pub picture: Option<Vec<u8>>,
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Media({}, {:?} bytes)", self.content_type, self.bytes)
    }
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MediaError {
    /// Not an address of Meta's network, or one that leads elsewhere.
    #[error("{0}")]
    Refused(&'static str),
    /// The address has expired, or the file was removed.
    #[error("Meta does not have the file any more (HTTP {0}).")]
    Gone(u16),
    /// Longer than allowed.
    #[error("The file is larger than {} MB.", .0 / 1_048_576)]
    TooLarge(u64),
    /// Not a picture, video, sound or PDF.
    #[error("The file is of a kind that is not read: {0}")]
    Type(String),
    /// It may be there later.
    #[error("The file could not be read now: {0}")]
    Unavailable(String),
}

impl MediaClient {
    /// `also`: further `host:port` that may be asked, by http too and wherever they are.
    ///
    /// # Errors
    /// [`SettingsError`] when no TLS roots are found on the machine.
    pub fn new(also: Vec<String>, timeout: Duration) -> Result<Self, SettingsError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .user_agent(concat!("retail-assist/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeout.min(Duration::from_secs(5)))
            .timeout(timeout)
            .dns_resolver(Arc::new(PublicOnly { also: names(&also) }))
            .build()
            .map_err(|error| SettingsError::Http(error.without_url().to_string()))?;
        Ok(Self { http, also: also.into() })
    }

    /// Reads a file; of all but pictures only what the answer says of it.
    ///
    /// # Errors
    /// [`MediaError`].
    pub async fn fetch(&self, url: &str) -> Result<Media, MediaError> {
        let mut url = self.checked(Url::parse(url).map_err(|_| MediaError::Refused("The address cannot be read."))?)?;
        for _ in 0..HOPS {
            let response = self.http.get(url.clone()).send().await.map_err(unavailable)?;
            let status = response.status();
            if status.is_redirection() {
                let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
                let to = to.and_then(|to| url.join(to).ok());
                url = self.checked(to.ok_or(MediaError::Refused("The address leads nowhere."))?)?;
                continue;
            }
            return match status.as_u16() {
                200 => read(response).await,
                code @ (401 | 403 | 404 | 410) => Err(MediaError::Gone(code)),
                code => Err(MediaError::Unavailable(format!("HTTP {code}"))),
            };
        }
        Err(MediaError::Refused("The address leads on and on."))
    }

    fn checked(&self, url: Url) -> Result<Url, MediaError> {
        let Some(host) = url.host_str() else { return Err(MediaError::Refused("The address names no host.")) };
        let named = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        if self.also.contains(&named) && matches!(url.scheme(), "http" | "https") {
            return Ok(url);
        }
        let of_meta = HOSTS.iter().any(|domain| {
            host.eq_ignore_ascii_case(domain)
                || host.len() > domain.len() + 1
                    && host[host.len() - domain.len()..].eq_ignore_ascii_case(domain)
                    && host.as_bytes()[host.len() - domain.len() - 1] == b'.'
        });
        if !of_meta {
            return Err(MediaError::Refused("The address is not one of Meta's."));
        }
        let plain =
            url.scheme() == "https" && url.port().is_none() && url.username().is_empty() && url.password().is_none();
        if plain { Ok(url) } else { Err(MediaError::Refused("The address is not a plain https address.")) }
    }
}

/// When an address of the delivery network ends, where it says so (`oe`, hexadecimal Unix seconds); in milliseconds.
pub fn expires_at(url: &str) -> Option<i64> {
    let url = Url::parse(url).ok()?;
    let (_, end) = url.query_pairs().find(|(name, _)| name == "oe")?;
    let seconds = i64::from_str_radix(&end, 16).ok()?;
    // Years in which there are such addresses.
    (1_500_000_000..=4_000_000_000).contains(&seconds).then_some(seconds * 1_000)
}

async fn read(mut response: Response) -> Result<Media, MediaError> {
    let content_type = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase())
        .unwrap_or_default();
    if !TYPES.iter().any(|kind| content_type.starts_with(kind)) {
        let shown: String = content_type.chars().filter(char::is_ascii_graphic).take(60).collect();
        return Err(MediaError::Type(if shown.is_empty() { "none is said".to_owned() } else { shown }));
    }
    let is_picture = content_type.starts_with("image/");
    let most = if is_picture { MAX_PICTURE_BYTES } else { MAX_BYTES };
    let said = response.content_length();
    if said.is_some_and(|bytes| bytes > most) {
        return Err(MediaError::TooLarge(most));
    }
    if !is_picture {
        return Ok(Media { content_type, bytes: said, picture: None });
    }
    let mut picture = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
        picture.extend_from_slice(&chunk);
        if picture.len() as u64 > most {
            return Err(MediaError::TooLarge(most));
        }
    }
    Ok(Media { content_type, bytes: Some(picture.len() as u64), picture: Some(picture) })
}

fn unavailable(error: reqwest::Error) -> MediaError {
    let mut source: Option<&dyn std::error::Error> = Some(&error);
    while let Some(inner) = source {
        if inner.is::<NotPublic>() {
            return MediaError::Refused("The address leads into a network that is not public.");
        }
        source = inner.source();
    }
    let kind = if error.is_timeout() { "it took too long" } else { "the connection failed" };
    MediaError::Unavailable(kind.to_owned())
}

/// The names of `host:port` that may lie anywhere.
fn names(also: &[String]) -> Vec<String> {
    also.iter().filter_map(|place| place.rsplit_once(':')).map(|(host, _)| host.to_owned()).collect()
}

/// Resolves names to public addresses only. The connection is made to what was checked here: a name that answers differently
/// the next time changes nothing.
struct PublicOnly {
    also: Vec<String>,
}

#[derive(Debug, Error)]
#[error("no public address")]
struct NotPublic;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let anywhere = self.also.iter().any(|also| also == name.as_str());
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let usable: Vec<SocketAddr> =
                found.into_iter().filter(|at| anywhere || address::is_public(at.ip())).collect();
            if usable.is_empty() {
                return Err(NotPublic.into());
            }
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wiremock::matchers::path;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    fn client(also: Vec<String>) -> MediaClient {
        MediaClient::new(also, Duration::from_secs(2)).unwrap()
    }

    #[test]
    fn only_metas_network_is_asked_and_only_by_https() {
        let client = client(vec!["127.0.0.1:9".to_owned()]);
        let asked = |url: &str| client.checked(Url::parse(url).unwrap()).is_ok();
        for good in [
            "https://lookaside.fbsbx.com/ig_messaging_cdn/?asset_id=1",
            "https://scontent-ams4-1.cdninstagram.com/v/t.jpg",
            "https://SCONTENT.FBCDN.NET/x",
            "http://127.0.0.1:9/x",
        ] {
            assert!(asked(good), "{good}");
        }
        for bad in [
            "http://lookaside.fbsbx.com/x",
            "https://lookaside.fbsbx.com:8443/x",
            "https://user@lookaside.fbsbx.com/x",
            "https://evilfbsbx.com/x",
            "https://fbsbx.com.evil.test/x",
            "https://example.test/fbcdn.net",
            "https://127.0.0.1/x",
            "https://169.254.169.254/latest",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/x",
            "https://[::ffff:127.0.0.1]/x",
            "http://127.0.0.1:10/x",
            "file:///etc/passwd",
            "data:image/png;base64,AA==",
            "gopher://lookaside.fbsbx.com/x",
        ] {
            assert!(!asked(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_into_a_private_network_is_not_connected_to() {
        let http = client(Vec::new()).http;
        let error = http.get("https://localhost/x").send().await.unwrap_err();
        assert_eq!(unavailable(error), MediaError::Refused("The address leads into a network that is not public."));
    }

    #[test]
    fn when_an_address_ends() {
        assert_eq!(expires_at("https://x.fbcdn.net/a.jpg?oh=1&oe=6B49D200"), Some(0x6B49_D200 * 1_000));
        for unknown in
            ["https://x.fbcdn.net/a.jpg", "https://x.fbcdn.net/?oe=zz", "https://x.fbcdn.net/?oe=1", "nonsense"]
        {
            assert_eq!(expires_at(unknown), None, "{unknown}");
        }
    }

    #[tokio::test]
    async fn what_is_read_and_what_is_not() {
        let server = MockServer::start().await;
        let also = client(vec![server.address().to_string()]);
        let answer = |kind: &str, bytes: usize| ResponseTemplate::new(200).set_body_raw(vec![7; bytes], kind);
        let too_large = usize::try_from(MAX_PICTURE_BYTES).unwrap() + 1;
        let to = |at: &str| ResponseTemplate::new(302).insert_header("location", at);
        for (at, template) in [
            ("/picture", answer("image/jpeg; charset=x", 10)),
            ("/video", answer("video/mp4", 100)),
            ("/page", answer("text/html", 10)),
            ("/large", answer("image/png", too_large)),
            ("/gone", ResponseTemplate::new(404)),
            ("/expired", ResponseTemplate::new(403)),
            ("/down", ResponseTemplate::new(503)),
            ("/on", to("/picture")),
            ("/away", to("http://169.254.169.254/latest/meta-data")),
            ("/round", to("/round")),
        ] {
            Mock::given(path(at)).respond_with(template).mount(&server).await;
        }
        let fetch = async |at: &str| also.fetch(&format!("{}{at}", server.uri())).await;
        let picture = fetch("/picture").await.unwrap();
        assert_eq!((picture.content_type.as_str(), picture.picture.map(|p| p.len())), ("image/jpeg", Some(10)));
        assert_eq!(fetch("/on").await.unwrap().bytes, Some(10));
        let video = fetch("/video").await.unwrap();
        assert_eq!((video.bytes, video.picture), (Some(100), None));
        assert_eq!(fetch("/page").await, Err(MediaError::Type("text/html".to_owned())));
        assert_eq!(fetch("/large").await, Err(MediaError::TooLarge(MAX_PICTURE_BYTES)));
        assert_eq!(fetch("/gone").await, Err(MediaError::Gone(404)));
        assert_eq!(fetch("/expired").await, Err(MediaError::Gone(403)));
        assert!(matches!(fetch("/down").await, Err(MediaError::Unavailable(_))));
        assert_eq!(fetch("/away").await, Err(MediaError::Refused("The address is not one of Meta's.")));
        assert!(matches!(fetch("/round").await, Err(MediaError::Refused(_))));
    }
}
