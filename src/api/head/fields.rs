//! The header fields of a request that can change its answer.

/// The header fields of a request that can change its answer, raw.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Fields<'a> {
    /// `Accept`.
    pub accept: Option<&'a [u8]>,
    /// `Authorization`.
    pub authorization: Option<&'a [u8]>,
    /// `Cookie`.
    pub cookie: Option<&'a [u8]>,
    /// `X-GitHub-Api-Version`.
    pub api_version: Option<&'a [u8]>,
    /// `X-Github-Next-Global-ID`.
    pub next_global_id: Option<&'a [u8]>,
    /// `GraphQL-Features`.
    pub graphql_features: Option<&'a [u8]>,
    /// `Time-Zone`.
    pub time_zone: Option<&'a [u8]>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a [u8]>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<&'a [u8]>,
    /// `Cache-Control`.
    pub cache_control: Option<&'a [u8]>,
    /// `Pragma`.
    pub pragma: Option<&'a [u8]>,
    /// `Range`.
    pub range: Option<&'a [u8]>,
    /// `If-Match`, `If-Unmodified-Since` or `If-Range` is there.
    pub if_other: bool,
    /// A field is there that may change the answer in a way we do not know: any other `X-GitHub-*`,
    /// a method override, or a `Connection` that keeps one of the fields above from going on.
    pub unknown: bool,
    /// One of the fields above came twice.
    pub repeated: bool,
}

impl<'a> Fields<'a> {
    /// Picks the fields that matter; names in any case.
    pub fn gather(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut gathered = Self::default();
        for (name, value) in fields {
            gathered.take(name, value);
        }
        gathered
    }

    fn take(&mut self, name: &str, value: &'a [u8]) {
        // The length tells most fields apart before a byte is compared.
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let slot = match name.len() {
            5 if is("range") => &mut self.range,
            6 if is("accept") => &mut self.accept,
            6 if is("cookie") => &mut self.cookie,
            6 if is("pragma") => &mut self.pragma,
            9 if is("time-zone") => &mut self.time_zone,
            10 if is("connection") => return self.unknown |= stays_behind(value),
            13 if is("authorization") => &mut self.authorization,
            13 if is("if-none-match") => &mut self.if_none_match,
            13 if is("cache-control") => &mut self.cache_control,
            16 if is("graphql-features") => &mut self.graphql_features,
            17 if is("if-modified-since") => &mut self.if_modified_since,
            20 if is("x-github-api-version") => &mut self.api_version,
            23 if is("x-github-next-global-id") => &mut self.next_global_id,
            8 if is("if-match") || is("if-range") => return self.if_other = true,
            19 if is("if-unmodified-since") => return self.if_other = true,
            22 if is("x-http-method-override") => return self.unknown = true,
            9.. if name
                .get(..9)
                .is_some_and(|start| start.eq_ignore_ascii_case("x-github-")) =>
            {
                return self.unknown = true;
            }
            _ => return,
        };
        if slot.replace(value).is_some() {
            self.repeated = true;
        }
    }
}

/// Whether a `Connection` names a field that matters here (RFC 9110, section 7.6.1): it does not go on, so
/// the answer is one to a request without it.
fn stays_behind(connection: &[u8]) -> bool {
    connection.split(|&byte| byte == b',').any(|option| {
        let mut named = Fields::default();
        if let Ok(option) = std::str::from_utf8(option.trim_ascii()) {
            named.take(option, b"");
        }
        named != Fields::default()
    })
}
