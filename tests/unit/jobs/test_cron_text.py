"""Texts of cron expressions: which are taken, and what is said of the others."""

import unittest

from lib.jobs.cron_text import CronError, read_cron


class Reading(unittest.TestCase):
    def test_ranges_steps_lists_and_names_are_taken(self) -> None:
        cron = read_cron("*/20,5 9-17/4 1,15 jan-mar/2 MON-fri")

        self.assertEqual((0, 5, 20, 40), cron.minutes)
        self.assertEqual((9, 13, 17), cron.hours)
        self.assertEqual({1, 15}, cron.days)
        self.assertEqual({1, 3}, cron.months)
        self.assertEqual({1, 2, 3, 4, 5}, cron.weekdays)

    def test_a_step_behind_a_value_goes_on_to_the_end(self) -> None:
        self.assertEqual((10, 30, 50), read_cron("10/20 * * * *").minutes)

    def test_sunday_is_0_and_7_and_ends_a_range(self) -> None:
        for weekday in ("0", "7", "sun"):
            self.assertEqual({0}, read_cron(f"0 0 * * {weekday}").weekdays, weekday)
        for weekday in ("fri-sun", "5-7"):
            self.assertEqual({5, 6, 0}, read_cron(f"0 0 * * {weekday}").weekdays, weekday)
        self.assertEqual(set(range(7)), read_cron("0 0 * * *").weekdays)

    def test_blanks_and_tabs_around_and_between_do_not_matter(self) -> None:
        self.assertEqual(read_cron("0 3 * * *")._replace(text=""), read_cron(" 0\t3  * * * ")._replace(text=""))

    def test_a_macro_stands_for_five_fields(self) -> None:
        for macro, fields in (("@daily", "0 0 * * *"), ("@Weekly", "0 0 * * 0"), ("@hourly", "0 * * * *")):
            self.assertEqual(read_cron(fields)._replace(text=""), read_cron(macro)._replace(text=""))

    def test_a_question_mark_is_a_star(self) -> None:
        self.assertTrue(read_cron("0 0 ? * mon").meets_both)

    def test_days_and_weekdays_that_are_both_given_are_told_apart(self) -> None:
        self.assertTrue(read_cron("0 0 1 * mon").has_two_kinds_of_days)
        self.assertFalse(read_cron("0 0 */2 * mon").has_two_kinds_of_days)

    def test_each_wrong_text_is_refused_with_what_to_write_instead(self) -> None:
        cases = {
            "": "is empty; write five fields, minute hour day month weekday",
            "* * * *": "has 4 fields; write five fields",
            "* * * * * *": "has 6 fields; .* use every_s for less than a minute",
            "* * * * * * *": "has 7 fields; .* no seconds and no years",
            "60 * * * *": "has the minute '60'; write 0 to 59",
            "0 24 * * *": "has the hour '24'; write 0 to 23",
            "0 0 0 * *": "has the day '0'; write 1 to 31",
            "0 0 1 13 *": "has the month '13'; write 1 to 12, or jan to dec",
            "0 0 * * 8": "has the weekday '8'; write 0 to 7, or sun to sat",
            "0 0 * * funday": "has the weekday 'funday'; write 0 to 7",
            "jan * * * *": "has the minute 'jan'; write 0 to 59",
            "*/0 * * * *": "write a step from 1 to 59",
            "*/99 * * * *": "write a step from 1 to 59",
            "0 22-6 * * *": "runs backwards; write 22-23,0-6",
            "0 0 * * sat-mon": "runs backwards; write sat-sun,mon",
            "1,,2 * * * *": "nothing before or behind a comma",
            "0 0 L-3 * *": "write L for the last day",
            "0 0 15W * *": "W and L-3 are not known",
            "0 0 LW * *": "W and L-3 are not known",
            "0 0 * * L": "write 6 for each Saturday, or 6L for the last one",
            "0 0 * * mon#6": "write #1 to #5",
            "0 0 * * mon#0": "write #1 to #5",
            "0 0 * * 1-3#2": "write a value",
            "0 0 31 2 *": "never fires",
            "0 0 30 2 *": "never fires",
            "0 0 31 4,6,9,11 *": "never fires",
            "@reboot": "names no time; write a time, or send a job that is to run now to POST /api/jobs",
            "@every 1h30m": 'write the seconds, "every_s": 5400, in place of cron',
            "@every soon": 'write the seconds, "every_s": 300, in place of cron',
            "@noon": "'@noon' is not known; known: @yearly",
            "@daily 5": "has something behind @daily; write @daily alone",
            "@weekly\n": r"'@weekly\\n' is not known",
            "*/1000 * * * *": "write a step from 1 to 59",
            "TZ=Europe/Berlin 0 3 * * *": '"timezone": "Europe/Berlin"',
            "CRON_TZ=UTC 0 3 * * *": '"timezone": "UTC"',
            "* * * * *\n": "has the weekday",
            "٣ * * * *": "write a value",
            "a" * 300: "has 300 characters; write 255 at most",
            "H * * * *": "has the minute 'H'",
            "* * * * *; rm": "has 6 fields",
            "-1 * * * *": "write a value",
        }
        for text, words in cases.items():
            with self.subTest(text), self.assertRaisesRegex(CronError, words):
                read_cron(text)


if __name__ == "__main__":
    unittest.main()
