//! The paths of the document by the router's patterns: what log lines call a route, and which methods it takes.
//! Log lines name patterns and never the path itself, which may hold what nobody should read there.

use poem_openapi::OpenApi;
use std::collections::BTreeMap;

/// Methods and public form of every pattern.
#[derive(Debug, Default)]
pub struct Paths(BTreeMap<String, (String, Vec<String>)>);

impl Paths {
    /// Reads the document of an API.
    pub fn of<T: OpenApi>() -> Self {
        let mut paths = Self::default();
        for path in T::meta().into_iter().flat_map(|api| api.paths) {
            let methods = path.operations.iter().map(|operation| operation.method.to_string()).collect();
            paths.0.insert(shape(&path.path), (path.path, methods));
        }
        for path in ["/api/openapi.json", "/docs"] {
            paths.0.insert(path.to_owned(), (path.to_owned(), vec!["GET".to_owned()]));
        }
        paths
    }

    /// The public form of a pattern; unknown ones are called so.
    pub fn name(&self, pattern: Option<&str>) -> String {
        pattern.and_then(|pattern| self.0.get(&shape(pattern))).map_or("unmatched", |(name, _)| name).to_owned()
    }

    /// The methods of the pattern a path matches, for `Allow`.
    pub fn allow(&self, path: &str) -> Option<String> {
        let segments: Vec<_> = path.split('/').collect();
        let fits = |pattern: &str| {
            let wanted: Vec<_> = pattern.split('/').collect();
            wanted.len() == segments.len() && wanted.iter().zip(&segments).all(|(w, s)| *w == "*" || w == s)
        };
        self.0.iter().find(|(pattern, _)| fits(pattern)).map(|(_, (_, methods))| methods.join(", "))
    }
}

/// `{id}`, `:id` and `:param0` are the same place.
fn shape(path: &str) -> String {
    let segment = |part: &str| if part.starts_with([':', '{']) { "*".to_owned() } else { part.to_owned() };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_their_public_names_and_methods() {
        let paths = Paths::of::<crate::routes::Routes>();
        assert_eq!(paths.name(Some("/api/conversations/:param0")), "/api/conversations/{id}");
        assert_eq!(paths.name(None), "unmatched");
        assert_eq!(paths.name(Some("/secret")), "unmatched");
        assert_eq!(paths.allow("/api/auth/login").as_deref(), Some("POST"));
        assert_eq!(paths.allow("/api/webhooks/instagram").map(|methods| methods.len()), Some("GET, POST".len()));
        assert_eq!(paths.allow("/nowhere"), None);
    }
}
