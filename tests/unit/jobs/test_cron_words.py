"""Crons and intervals in words."""

import unittest

from lib.jobs.cron_text import read_cron
from lib.jobs.cron_words import interval_words, words_of

CRONS = {
    # So often that the times stand first.
    "* * * * *": "Every minute",
    "*/15 * * * *": "Every 15 minutes",
    "0,30 * * * *": "Every 30 minutes",
    "0 * * * *": "Every hour",
    "5 * * * *": "Every hour, at minute 5",
    "30 */2 * * *": "Every 2 hours, at minute 30",
    "*/15 9-17 * * mon-fri": "Every 15 minutes from 09:00 to 17:45, Monday to Friday",
    "*/5 9 * * *": "Every 5 minutes from 09:00 to 09:55",
    "* 9,12 * * *": "Every minute of hours 9 and 12",
    "5 9-17 * * *": "Every hour from 09:05 to 17:05",
    # Minutes of every seventh are not even: 56 is followed by 0.
    "*/7 * * * *": "At minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour",
    "3,7 * * * *": "At minutes 3 and 7 of every hour",
    "10-20,40 3 * * *": "At minutes 10 to 20 and 40 of hour 3",
    "0 9,10,12-15 * 7 *": "At minute 0 of hours 9, 10 and 12 to 15, every day in July",
    # A few times of a day, which are named.
    "30 2 * * *": "Every day at 02:30",
    "@daily": "Every day at 00:00",
    "0 */6 * * *": "Every day at 00:00, 06:00, 12:00 and 18:00",
    "0,30 2,14 * * *": "Every day at 02:00, 02:30, 14:00 and 14:30",
    "0 12 * 6-8 *": "Every day in June to August at 12:00",
    # Weekdays; 0 and 7 are Sunday, which ends the week.
    "30 2 * * mon-fri": "Monday to Friday at 02:30",
    "0 8 * * 1": "On Mondays at 08:00",
    "0 8 * * 0,6": "On Saturdays and Sundays at 08:00",
    "0 8 * * 5-7": "Friday to Sunday at 08:00",
    "0 12 * 6-8 1": "On Mondays in June to August at 12:00",
    "0 9 * * 1#1": "On the first Monday of the month at 09:00",
    "0 9 * 12 5L": "On the last Friday of December at 09:00",
    "0 9 * * 1#1,5L": "On the first Monday and the last Friday of the month at 09:00",
    "0 9 * * 2,5L": "On Tuesdays and the last Friday at 09:00",
    # Days of the month.
    "0 6 1,15 * *": "On the 1st and 15th of the month at 06:00",
    "0 6 2,3,22,31 * *": "On the 2nd, 3rd, 22nd and 31st of the month at 06:00",
    "0 6 1,L * *": "On the 1st and last day of the month at 06:00",
    "0 6 L * *": "On the last day of the month at 06:00",
    "0 0 11-13 * *": "On the 11th to 13th of the month at 00:00",
    "0 0 */2 * *": "On the odd days of the month at 00:00",
    "@yearly": "On the 1st of January at 00:00",
    # Both: it runs on either day; but where one begins with `*`, on days that fit both.
    "0 0 13 * 5": "On the 13th of the month and on Fridays at 00:00",
    "0 0 */2 * 1": "On Mondays among the odd days of the month at 00:00",
    "0 12 1 6-8 1": "On the 1st of June to August and on Mondays in June to August at 12:00",
}
INTERVALS = {
    1000: "Every second",
    1500: "Every 1.5 seconds",
    60_000: "Every minute",
    90_000: "Every 90 seconds",
    300_000: "Every 5 minutes",
    3_600_000: "Every hour",
    86_400_000: "Every 24 hours",
}


class Words(unittest.TestCase):
    def test_a_cron_is_said_as_people_say_it(self) -> None:
        for text, words in CRONS.items():
            with self.subTest(text):
                self.assertEqual(words, words_of(read_cron(text)))

    def test_an_interval_is_said_in_its_largest_unit(self) -> None:
        for every_ms, words in INTERVALS.items():
            with self.subTest(every_ms):
                self.assertEqual(words, interval_words(every_ms))


if __name__ == "__main__":
    unittest.main()
