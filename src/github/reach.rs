//! Whether anybody is there: a connection and nothing else, so that GitHub counts nothing.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::{Host, Url};

use super::Config;
use super::guard;

impl Config {
    /// Connects to where the API is, or to the proxy on the way, within `patience`, and hangs up.
    ///
    /// # Errors
    ///
    /// What the system says of the name or the connection.
    pub async fn connects(&self, patience: Duration) -> io::Result<()> {
        let Some((host, port)) = self.first_hop() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no host"));
        };
        let connected = timeout(patience, TcpStream::connect((host.as_str(), port))).await;
        let late = || {
            let seconds = patience.as_secs();
            let why = format!("no connection to {host} within {seconds} s");
            io::Error::new(io::ErrorKind::TimedOut, why)
        };
        connected.map_err(|_| late())?.map(drop)
    }

    /// The machine to which requests are sent.
    fn first_hop(&self) -> Option<(String, u16)> {
        let origin = &self.origin;
        let is_local = guard::is_loopback(&origin.host()?);
        let uri = origin.as_str().parse().ok()?;
        let proxy = (!is_local).then(|| self.proxies.matcher());
        let proxy = proxy.and_then(|matcher| matcher.intercept(&uri));
        match proxy {
            Some(proxy) => place(&Url::parse(&proxy.uri().to_string()).ok()?),
            None => place(origin),
        }
    }
}

fn place(url: &Url) -> Option<(String, u16)> {
    let host = match url.host()? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(ip) => ip.to_string(),
        Host::Ipv6(ip) => ip.to_string(),
    };
    // SOCKS, RFC 1928, section 3.
    Some((host, url.port_or_known_default().unwrap_or(1080)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::Proxies;

    fn hop(origin: &str, variables: &[(&'static str, &'static str)]) -> (String, u16) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| *value)
        };
        let config = Config {
            proxies: Proxies::of(variable),
            ..Config::new(origin.parse().unwrap())
        };
        config.first_hop().unwrap()
    }

    #[test]
    fn the_first_hop_is_the_proxy_if_there_is_one_on_the_way() {
        let proxy = [("HTTPS_PROXY", "http://proxy.example:3128")];
        let api = "https://api.github.com";
        assert_eq!(hop(api, &[]), ("api.github.com".into(), 443));
        assert_eq!(hop(api, &proxy), ("proxy.example".into(), 3128));
        let except = [proxy[0], ("NO_PROXY", ".github.com")];
        assert_eq!(hop(api, &except), ("api.github.com".into(), 443));
        let local = "http://127.0.0.1:8080";
        let all = [("ALL_PROXY", "socks5://proxy.example")];
        assert_eq!(hop(local, &all), ("127.0.0.1".into(), 8080));
        assert_eq!(hop(api, &all), ("proxy.example".into(), 1080));
    }

    #[tokio::test]
    async fn whoever_listens_is_there_and_who_does_not_is_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let config = Config::new(origin.parse().unwrap());
        let patience = Duration::from_secs(5);
        config.connects(patience).await.unwrap();
        drop(listener);
        let gone = config.connects(patience).await.unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::ConnectionRefused);
    }
}
