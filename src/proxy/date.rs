//! The `Date` field, written once a second.

use std::time::{Duration, UNIX_EPOCH};

use crate::time::Timestamp;

/// The last second that HTTP's date format can write: 31 December 9999.
const LAST: u64 = 253_402_300_799;

/// A time as HTTP writes it (RFC 9110, section 5.6.7).
#[derive(Debug, Default)]
pub(super) struct DateText {
    second: u64,
    text: String,
}

impl DateText {
    /// `now` as text.
    pub(super) fn at(&mut self, now: Timestamp) -> &str {
        let second = now.as_secs().min(LAST);
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_one_text_and_no_clock_breaks_it() {
        let mut date = DateText::default();
        assert_eq!(date.at(Timestamp::EPOCH), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(
            date.at(Timestamp::from_millis(1999)),
            "Thu, 01 Jan 1970 00:00:01 GMT"
        );
        assert_eq!(
            date.at(Timestamp::from_millis(u64::MAX)),
            "Fri, 31 Dec 9999 23:59:59 GMT"
        );
    }
}
