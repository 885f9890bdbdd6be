//! Sizes, times and addresses as people write them.

mod peers;

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use super::near;
use crate::api::Operation;

pub use peers::{Admission, admission, dialable, listening, pool, variable};

/// Bytes: `65536`, `64KiB`, `10MB`, `1.5GiB`. Binary units are powers of 1024, decimal ones of 1000.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let nonsense = || format!("{text:?} is not a size; write one like 64MiB, 10MB or 65536");
    if number.is_empty() {
        return Err(nonsense());
    }
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        _ => {
            return Err(format!(
                "unknown unit {unit:?}; write a size like 64MiB, 10MB or 65536"
            ));
        }
    };
    scaled(number, factor).ok_or_else(nonsense)
}

/// A number of things: `5000`, `5k`, `1.5M`. Units are powers of 1000.
pub fn count(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" => Some(1),
        "k" => Some(1000),
        "m" => Some(1_000_000),
        _ => None,
    };
    let whole = |factor| scaled(number, factor).filter(|_| factor > 1 || !number.contains('.'));
    factor
        .and_then(whole)
        .ok_or_else(|| format!("{text:?} is not a number; write one like 500, 5k or 1.5M"))
}

/// A time: `300` (seconds), `30s`, `5m`, `1.5h`, `2d`, `500ms`, or several with units in one, as in
/// `1h30m`.
pub fn time(text: &str) -> Result<Duration, String> {
    let nonsense =
        || format!("{text:?} is not a time; write one like 30s, 5m, 1h30m, 300 or 500ms");
    let mut rest = text.trim();
    let mut total: u64 = 0;
    loop {
        let (number, after) = split(rest);
        let end = after
            .find(|character: char| !character.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, next) = (&after[..end], after[end..].trim_start());
        if number.is_empty() {
            return Err(nonsense());
        }
        let millis: u64 = match unit.to_ascii_lowercase().as_str() {
            "ms" => 1,
            // A number alone is seconds, but not beside one that has a unit.
            "" if next.is_empty() && rest.len() == text.trim().len() => 1000,
            "s" | "sec" | "secs" => 1000,
            "m" | "min" | "mins" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "" => return Err(nonsense()),
            _ => {
                return Err(format!(
                    "unknown unit {unit:?}; write a time like 30s, 5m, 1h30m, 300 or 500ms"
                ));
            }
        };
        let part = scaled(number, millis);
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or_else(nonsense)?;
        if next.is_empty() {
            return Ok(Duration::from_millis(total));
        }
        rest = next;
    }
}

/// An address of this machine's loopback interface: whoever can connect can use the cache.
pub fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse(),
        None => text.parse(),
    }
    .map_err(|_| format!("{text:?} is not ADDRESS:PORT, as in 127.0.0.1:0"))?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "{} is not a loopback address; the proxy speaks plain HTTP and serves this machine \
             alone, so listen on 127.0.0.1 or [::1]",
            address.ip()
        ));
    }
    Ok(address)
}

/// The base URL of an origin.
pub fn origin(text: &str) -> Result<Url, String> {
    let url: Url = text
        .parse()
        .map_err(|error| format!("{text:?} is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("{text:?} is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL with a user name or password; clients send their own token".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "{text:?} has a query or fragment; give the base URL alone"
        ));
    }
    Ok(url)
}

/// `HOST=URL`: another origin for one host.
pub fn origin_for(text: &str) -> Result<(String, Url), String> {
    let (host, url) = text.split_once('=').ok_or_else(|| {
        format!("{text:?} is not HOST=URL, as in uploads.github.com=http://127.0.0.1:8080")
    })?;
    if host.is_empty() || host.contains(['/', '@', ' ']) {
        return Err(format!("{host:?} is not a host name"));
    }
    Ok((host.to_ascii_lowercase(), origin(url)?))
}

/// What is logged: a level, or levels by module as in `ghswarm=debug,info`. A module's name alone
/// would mean everything of it, so a level that is spelt wrong would silence all the others.
pub fn level(text: &str) -> Result<String, String> {
    let known = ["off", "error", "warn", "info", "debug", "trace"];
    for directive in text.split(',') {
        let level = directive
            .rsplit_once('=')
            .map_or(directive, |(_, level)| level);
        if !known.contains(&level.trim().to_ascii_lowercase().as_str()) {
            return Err(format!(
                "{level:?} is not a level; write error, warn, info, debug or trace"
            ));
        }
    }
    Ok(text.to_owned())
}

/// `OPERATION=TIME`: how long the answers of one operation are fresh.
pub fn lifetime(text: &str) -> Result<(Operation, Duration), String> {
    let (name, lasts) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not OPERATION=TIME, as in list_repos=10m"))?;
    let operation = operation(name).ok_or_else(|| {
        let names = operations().map(Operation::name);
        format!(
            "{name:?} is no operation{}",
            near::did_you_mean(name, names)
        )
    })?;
    Ok((operation, time(lasts)?))
}

/// The operation called `name`, if answers of it can be kept.
pub fn operation(name: &str) -> Option<Operation> {
    operations().find(|operation| operation.name() == name)
}

/// The operations that have a lifetime to set: all but those whose answers are never kept.
pub fn operations() -> impl Iterator<Item = Operation> {
    let kept = |operation: &Operation| !matches!(operation, Operation::Write | Operation::Token);
    Operation::all().filter(kept)
}

/// `true` or `false`, and what else people write for them.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("{text:?} is not true or false")),
    }
}

/// `bytes` in the largest unit that says exactly the same; [`size`] reads it.
pub fn show_size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let exact = |(power, _): &(u32, &str)| bytes > 0 && bytes.trailing_zeros() >= *power;
    match units.into_iter().find(exact) {
        Some((power, unit)) => format!("{}{unit}", bytes >> power),
        None => bytes.to_string(),
    }
}

/// `time` in seconds, or in milliseconds where it has any; [`fn@time`] reads it.
pub fn show_time(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{}s", time.as_secs())
    } else {
        format!("{}ms", time.as_millis())
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|character: char| !character.is_ascii_digit() && character != '.')
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// `number` × `factor`, exactly: a decimal fraction of up to nine digits, no floating point.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || (number.contains('.') && fraction.is_empty()) || fraction.len() > 9 {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    if fraction.is_empty() {
        return Some(whole);
    }
    let digits = u32::try_from(fraction.len()).ok()?;
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor) / 10_u128.pow(digits);
    whole.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_take_units() {
        for (text, number) in [("0", 0), ("500", 500), ("5k", 5000), ("1.5M", 1_500_000)] {
            assert_eq!(count(text), Ok(number));
        }
        for text in ["", "-1", "1.5", "5KiB", "k", "1e3", "99999999999999999999k"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_know_both_families_of_units() {
        for (text, bytes) in [
            ("65536", 65_536),
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            ("10MB", 10_000_000),
            ("1.5GiB", 3 << 29),
            ("0", 0),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-1",
            "1.",
            ".5",
            "1.2.3",
            "12 parsecs",
            "99999999999TiB",
        ] {
            let error = size(text).unwrap_err();
            assert!(error.contains("64MiB"), "{text}: {error}");
        }
    }

    #[test]
    fn times_are_seconds_unless_they_say_otherwise() {
        for (text, millis) in [
            ("300", 300_000),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1.5h", 5_400_000),
            ("500ms", 500),
            ("0.25", 250),
            ("1h30m", 5_400_000),
            ("1m 0.5s 7ms", 60_507),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "soon",
            "-5",
            "1h30",
            "5m6",
            "1h-1m",
            "1..5s",
            "9e9",
            "300000000000d",
        ] {
            assert!(time(text).unwrap_err().contains("30s"), "{text}");
        }
        assert!(time("-5").unwrap_err().contains("not a time"));
        assert!(time("5 fortnights").unwrap_err().contains("fortnights"));
    }

    #[test]
    fn what_is_shown_reads_the_same() {
        for bytes in [0, 1, 1000, 1024, 64 << 20, 3 << 29, u64::MAX, 1 << 63] {
            assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
        assert_eq!(show_size(64 << 20), "64MiB");
        for millis in [0, 1, 500, 1000, 300_000, 86_400_007] {
            let lasts = Duration::from_millis(millis);
            assert_eq!(time(&show_time(lasts)), Ok(lasts));
        }
        assert_eq!(show_time(Duration::from_secs(300)), "300s");
    }

    #[test]
    fn a_lifetime_names_an_operation() {
        let expected = (Operation::ListRepos, Duration::from_secs(600));
        assert_eq!(lifetime("list_repos=10m"), Ok(expected));
        assert!(
            lifetime("list_repo=10m")
                .unwrap_err()
                .contains("\"list_repos\"")
        );
        assert!(lifetime("list_repos").unwrap_err().contains("=10m"));
        assert!(lifetime("list_repos=soon").unwrap_err().contains("30s"));
        assert!(lifetime("write=10m").is_err());
    }

    #[test]
    fn a_level_that_is_spelt_wrong_is_no_module() {
        assert!(level("INFO").is_ok() && level("ghswarm=debug, warn").is_ok());
        for bad in ["", "loud", "ghswarm=", "ghswarm=loud", "info,"] {
            assert!(level(bad).unwrap_err().contains("debug"), "{bad}");
        }
    }

    #[test]
    fn only_this_machine_may_connect() {
        assert!(loopback("127.0.0.1:0").is_ok());
        assert!(loopback("[::1]:8080").is_ok());
        assert_eq!(loopback("localhost:80"), Ok(([127, 0, 0, 1], 80).into()));
        assert!(loopback("0.0.0.0:80").unwrap_err().contains("loopback"));
        assert!(loopback("8080").unwrap_err().contains("ADDRESS:PORT"));
    }

    #[test]
    fn an_origin_is_a_base_url_without_secrets() {
        assert!(origin("https://api.github.com").is_ok());
        assert!(origin("https://ghe.example.org/api/v3").is_ok());
        for bad in [
            "api.github.com",
            "ftp://x",
            "https://u:p@x",
            "https://x/?q",
            "https://x/#f",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
        let (host, url) = origin_for("Uploads.GitHub.com=http://127.0.0.1:1").unwrap();
        assert_eq!((host.as_str(), url.port()), ("uploads.github.com", Some(1)));
        assert!(origin_for("http://127.0.0.1:1").is_err());
    }
}
