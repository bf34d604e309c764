// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Points in time as text.

/// `2026-11-22 17:04:09 UTC`, from seconds since 1970.
///
/// The calendar repeats every 400 years, which are 146,097 days. Years are counted from March,
/// so that the day that leap years add is their last one.
pub(crate) fn utc(seconds: u64) -> String {
    const DAYS_1970: u64 = 719_468; // from 1 March of the year 0 to 1 January 1970
    let (days, time) = (seconds / 86_400 + DAYS_1970, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    // Leave the leap days out: one in 4 years, not in 100, but in 400.
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let first = year_of_era * 365 + year_of_era / 4 - year_of_era / 100;
    let day_of_year = day_of_era - first;
    // Five months from March on have 153 days together.
    let month = (day_of_year * 5 + 2) / 153;
    let day = day_of_year - (month * 153 + 2) / 5 + 1;
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year_of_era + next_year;
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_709_251_200), "2024-03-01 00:00:00 UTC");
        assert_eq!(utc(1_735_689_599), "2024-12-31 23:59:59 UTC");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00 UTC");
    }
}
