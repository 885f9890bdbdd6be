//! What the doctor found: words of every check.

use serde::Serialize;

/// How bad a finding is. Only a [`Level::Problem`] makes the exit code 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Works, but worse than it could, or not for long.
    Warning,
    /// Does not work.
    Problem,
}

/// What a finding is about, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Area {
    Config,
    Daemon,
    Port,
    Socket,
    Proxy,
    Permissions,
    Disk,
    Clock,
    Limits,
    Token,
    Budget,
    Formula,
    Peers,
    Gh,
    Clients,
    Environment,
    Probe,
}

impl Area {
    /// The heading of its findings.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Config => "Configuration",
            Self::Daemon => "Daemon",
            Self::Port => "Port",
            Self::Socket => "Socket",
            Self::Proxy => "Proxy variables",
            Self::Permissions => "Files and permissions",
            Self::Disk => "Disk space",
            Self::Clock => "Clock",
            Self::Limits => "Limits of the process",
            Self::Token => "Token",
            Self::Budget => "Rate limit",
            Self::Formula => "ETag formula",
            Self::Peers => "Peers",
            Self::Gh => "gh",
            Self::Clients => "What each client needs",
            Self::Environment => "Environment",
            Self::Probe => "GitHub, asked just now",
        }
    }
}

/// One finding. A warning or a problem always says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) area: Area,
    pub(super) level: Level,
    pub(super) what: String,
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(area: Area, what: impl Into<String>) -> Self {
        Self {
            area,
            level: Level::Ok,
            what: what.into(),
            fix: None,
        }
    }

    pub(super) fn note(area: Area, what: impl Into<String>) -> Self {
        Self {
            level: Level::Note,
            ..Self::ok(area, what)
        }
    }

    pub(super) fn warning(area: Area, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::ok(area, what).fixed_by(fix)
        }
    }

    pub(super) fn problem(area: Area, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Problem,
            ..Self::ok(area, what).fixed_by(fix)
        }
    }

    /// Says what to do about it, or with it.
    #[must_use]
    pub(super) fn fixed_by(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// How many findings there are of each level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) problems: usize,
    pub(super) warnings: usize,
    pub(super) notes: usize,
    pub(super) ok: usize,
}

impl Summary {
    pub(super) fn of(findings: &[Finding]) -> Self {
        let mut summary = Self::default();
        for finding in findings {
            let count = match finding.level {
                Level::Ok => &mut summary.ok,
                Level::Note => &mut summary.notes,
                Level::Warning => &mut summary.warnings,
                Level::Problem => &mut summary.problems,
            };
            *count += 1;
        }
        summary
    }
}

/// What the tests of the checks say about findings.
#[cfg(test)]
impl Finding {
    /// Holds `findings` to exactly one of `level` or worse whose text (or fix) has `word` in it.
    #[track_caller]
    pub(super) fn assert_one(findings: &[Self], level: Level, word: &str) {
        let found: Vec<_> = findings
            .iter()
            .filter(|finding| finding.level == level)
            .collect();
        let [finding] = found[..] else {
            panic!("not one {level:?}: {findings:#?}");
        };
        let text = format!("{} {}", finding.what, finding.fix.as_deref().unwrap_or(""));
        assert!(text.contains(word), "no {word:?} in {text:?}");
    }

    /// Holds `findings` to be free of warnings and problems.
    #[track_caller]
    pub(super) fn assert_fine(findings: &[Self]) {
        let bad = |finding: &Self| matches!(finding.level, Level::Warning | Level::Problem);
        assert!(!findings.iter().any(bad), "{findings:#?}");
    }
}
