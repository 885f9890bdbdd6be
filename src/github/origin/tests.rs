//! Hosts and targets, most of them refused.

use super::*;

fn origins(origin: &str, origin_for: &[(&str, &str)]) -> Origins {
    let url = |text: &str| Url::parse(text).unwrap();
    let origin_for: Vec<_> = origin_for
        .iter()
        .map(|(host, base)| ((*host).to_owned(), url(base)))
        .collect();
    Origins::new(&url(origin), &origin_for).unwrap()
}

fn github() -> Origins {
    origins("https://api.github.com", &[])
}

#[test]
fn hosts_go_where_they_belong() {
    let github = github();
    for (host, destination) in [
        ("api.github.com", Destination::Api),
        ("API.GitHub.com.", Destination::Api),
        ("api.github.com:443", Destination::Api),
        ("api.github.com:8443", Destination::Public),
        ("uploads.github.com", Destination::Public),
        ("objects.githubusercontent.com", Destination::Public),
        ("8.8.8.8", Destination::Public),
        ("[2606:50c0:8000::64]", Destination::Public),
        ("", Destination::Refused(Refused::Host)),
        ("a b", Destination::Refused(Refused::Host)),
        ("user@github.com", Destination::Refused(Refused::Host)),
        ("github.com/path", Destination::Refused(Refused::Host)),
        ("github.com:", Destination::Refused(Refused::Host)),
        ("github.com:99999", Destination::Refused(Refused::Host)),
    ] {
        assert_eq!(github.destination(host), destination, "{host}");
    }
}

#[test]
fn what_is_not_public_is_refused_however_it_is_spelt() {
    let github = github();
    for host in [
        "localhost",
        "x.localhost",
        "LOCALHOST.",
        "ghswarm.internal",
        "printer.local",
        "router",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "10.0.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.51.100.7",
        "203.0.113.9",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::1]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2001::1]",
        "[fec0::1]",
        "127.0.0.1:8080",
        "localhost:443",
        "[::1]:443",
    ] {
        assert_eq!(
            github.destination(host),
            Destination::Refused(Refused::Private),
            "{host}"
        );
        assert_eq!(
            github.place(host, "/").unwrap_err(),
            Refused::Private,
            "{host}"
        );
    }
}

#[test]
fn what_the_operator_maps_is_not_questioned() {
    let origins = origins(
        "http://127.0.0.1:9400",
        &[
            ("uploads.github.com", "http://127.0.0.1:9401/up/"),
            ("ghe.corp.internal:8443", "https://10.0.0.7/api/v3"),
            ("api.tenant.ghe.com", "https://10.0.0.8"),
        ],
    );
    let url = |host: &str, target: &str| {
        let place = origins.place(host, target).unwrap();
        assert!(place.mapped);
        (place.url.to_string(), place.local)
    };
    assert_eq!(origins.destination("127.0.0.1:9400"), Destination::Api);
    assert_eq!(
        origins.destination("uploads.github.com"),
        Destination::Mapped
    );
    assert_eq!(
        origins.destination("ghe.corp.internal:8443"),
        Destination::Mapped
    );
    assert_eq!(origins.destination("api.tenant.ghe.com"), Destination::Api);
    assert_eq!(
        origins.destination("ghe.corp.internal"),
        Destination::Refused(Refused::Private)
    );
    assert_eq!(
        url("api.github.com", "/user"),
        ("http://127.0.0.1:9400/user".into(), true)
    );
    assert_eq!(
        url("uploads.github.com", "/repos/o/r?name=a"),
        ("http://127.0.0.1:9401/up/repos/o/r?name=a".into(), true)
    );
    assert_eq!(
        url("ghe.corp.internal:8443", "/octo/app"),
        ("https://10.0.0.7/octo/app".into(), false)
    );
}

#[test]
fn enterprise_server_has_three_paths() {
    let origins = origins(
        "https://ghe.example/api/v3",
        &[
            ("two.example", "https://10.0.0.7/two"),
            ("three.example", "https://10.0.0.8/api/v3/"),
            ("alias.example", "https://ghe.example"),
        ],
    );
    let (one, two) = ("https://ghe.example", "https://10.0.0.7/two");
    for (host, target, base, path) in [
        ("api.github.com", "/user", one, "/api/v3/user"),
        ("api.github.com", "/api/v3/user", one, "/api/v3/user"),
        ("api.github.com", "/graphql", one, "/api/graphql"),
        (
            "uploads.github.com",
            "/repos/o/r",
            one,
            "/api/uploads/repos/o/r",
        ),
        ("ghe.example", "/user", one, "/user"),
        ("ghe.example", "/api/v3/user", one, "/api/v3/user"),
        ("two.example/api/v3", "/user?a", two, "/api/v3/user?a"),
        ("two.example/api/v3", "/graphql", two, "/api/graphql"),
        (
            "two.example/api/uploads",
            "/repos/o/r",
            two,
            "/api/uploads/repos/o/r",
        ),
        ("TWO.example:443", "/user", two, "/user"),
        (
            "three.example/api/v3",
            "/user",
            "https://10.0.0.8",
            "/api/v3/user",
        ),
        ("three.example", "/user", "https://10.0.0.8", "/user"),
    ] {
        let place = origins.place(host, target).unwrap();
        assert_eq!(
            place.url.as_str(),
            format!("{base}{path}"),
            "{host} {target}"
        );
    }
    let names = origins.names("Two.example").unwrap();
    assert_eq!(origins.destination(&names.api), Destination::Api);
    assert_eq!(origins.destination(&names.uploads), Destination::Mapped);
    for origin in ["ghe.example", "alias.example"] {
        assert_eq!(origins.names(origin).unwrap().api, "api.github.com");
    }
}

#[test]
fn hosts_of_github_are_no_enterprise_server() {
    let base = "http://127.0.0.1:9401";
    let hosts = [
        "codeload.github.com",
        "uploads.github.com",
        "api.tenant.ghe.com",
        "api.github.com",
    ];
    let origins = origins("https://api.github.com", &hosts.map(|host| (host, base)));
    for host in hosts {
        assert_eq!(origins.names(host), None, "{host}");
    }
    assert_eq!(origins.names("ghe.example"), None, "nobody mapped it");
}

#[test]
fn a_target_goes_out_byte_for_byte_or_not_at_all() {
    let github = github();
    let exact = "/a%2Fb/c%20d;x=1/(e)*!$&+,@:~|[x]?q=%27a%2e&r=//../.&=s|t&sig=%2B%2f==";
    for host in ["api.github.com", "codeload.github.com"] {
        let url = github.place(host, exact).unwrap().url;
        assert_eq!(&url[Position::BeforePath..], exact);
        for target in [
            "",
            "*",
            "user",
            "https://api.github.com/user",
            "/a/../b",
            "/a/./b",
            "/a/%2e%2E/b",
            "/a\\b",
            "/a#b",
            "/a?b#c",
            "/a\tb",
            "/a\nb",
            "/..",
        ] {
            assert_eq!(
                github.place(host, target).unwrap_err(),
                Refused::Target,
                "{target:?}"
            );
        }
    }
    // Not allowed in a URL, or encoded by every browser: the API does not mind, a signature would.
    let raw = "/search/issues?q='a b' \"ä\" <x>";
    assert_eq!(
        github.place("codeload.github.com", raw).unwrap_err(),
        Refused::Target
    );
    assert_eq!(
        github.place("api.github.com", raw).unwrap().url.query(),
        Some("q=%27a%20b%27%20%22%C3%A4%22%20%3Cx%3E")
    );
}

#[test]
fn an_origin_is_a_scheme_a_host_and_a_path() {
    for url in [
        "ftp://github.com",
        "https://u:p@github.com",
        "https://github.com/?a=b",
        "data:x",
    ] {
        assert!(
            Origins::new(&Url::parse(url).unwrap(), &[]).is_err(),
            "{url}"
        );
    }
}
