//! Points in time as the bodies and header fields of messages write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 3600;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Years have four digits up to here: the last second of 9999.
const LAST: u64 = 253_402_300_799;

/// A point in time: seconds since 1970-01-01T00:00:00Z, leap seconds not counted; at most the end of the year 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixSeconds(u64);

/// The parts of a point in time, in UTC.
struct Civil {
    year: u64,
    /// 1 to 12.
    month: u64,
    /// 1 to 31.
    day: u64,
    weekday: &'static str,
    hour: u64,
    minute: u64,
    second: u64,
}

impl UnixSeconds {
    /// A point in time; one beyond the year 9999 becomes its end.
    pub fn new(seconds: u64) -> UnixSeconds {
        UnixSeconds(seconds.min(LAST))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// So much later.
    pub fn after(self, time: Duration) -> UnixSeconds {
        UnixSeconds::new(self.0.saturating_add(time.as_secs()))
    }

    /// How long it is from then until this; zero if then is later.
    pub fn since(self, then: UnixSeconds) -> Duration {
        Duration::from_secs(self.0.saturating_sub(then.0))
    }

    /// As RFC 3339 writes it, which CPIM and IMDN ask for: `2008-04-04T12:16:49Z`.
    pub fn rfc3339(self) -> String {
        let Civil { year, month, day, hour, minute, second, .. } = self.civil();
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// As the Date header field of SIP writes it (RFC 3261 section 20.17): `Fri, 04 Apr 2008 12:16:49 GMT`.
    pub fn sip_date(self) -> String {
        let Civil { year, month, day, weekday, hour, minute, second } = self.civil();
        let month = usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index)).unwrap_or(&"Jan");
        format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }

    /// The civil date in the proleptic Gregorian calendar. Years are counted from March, so that the leap day is the last
    /// of its year, in eras of 400 years, which are all of the same length.
    fn civil(self) -> Civil {
        let (days, seconds) = (self.0 / DAY, self.0 % DAY);
        // From 0000-03-01 to 1970-01-01.
        let from_march = days + 719_468;
        let (era, day_of_era) = (from_march / 146_097, from_march % 146_097);
        let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let before = 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
        let day_of_year = day_of_era - before;
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let weekday = usize::try_from(days % 7).ok().and_then(|index| WEEKDAYS.get(index));
        Civil {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day,
            weekday: weekday.unwrap_or(&"Thu"),
            hour: seconds / 3600,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }
}

impl From<SystemTime> for UnixSeconds {
    fn from(time: SystemTime) -> UnixSeconds {
        // A clock before 1970 is one that was never set.
        UnixSeconds::new(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_both_standards_write_them() {
        let cases = [
            (0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "2000-02-29T00:00:00Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_799, "2000-02-29T23:59:59Z", "Tue, 29 Feb 2000 23:59:59 GMT"),
            (951_868_800, "2000-03-01T00:00:00Z", "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_207_311_409, "2008-04-04T12:16:49Z", "Fri, 04 Apr 2008 12:16:49 GMT"),
            (4_107_542_399, "2100-02-28T23:59:59Z", "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "2100-03-01T00:00:00Z", "Mon, 01 Mar 2100 00:00:00 GMT"),
            (LAST, "9999-12-31T23:59:59Z", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ];
        for (seconds, rfc3339, sip_date) in cases {
            let time = UnixSeconds::new(seconds);
            assert_eq!((time.rfc3339().as_str(), time.sip_date().as_str()), (rfc3339, sip_date));
        }
        assert_eq!(UnixSeconds::new(u64::MAX), UnixSeconds::new(LAST));
    }

    #[test]
    fn every_day_follows_the_day_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..=LAST / DAY {
            let civil = UnixSeconds::new(days * DAY).civil();
            assert_eq!((civil.year, civil.month, civil.day), (year, month, day));
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (month, day) if day == length => (year, month + 1, 1),
                (month, day) => (year, month, day + 1),
            };
        }
    }
}
