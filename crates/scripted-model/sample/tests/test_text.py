import unittest

from textkit import slugify, wrap


class Slugify(unittest.TestCase):
    def test_joins_words_with_hyphens(self):
        self.assertEqual(slugify("Hello, World!"), "hello-world")

    def test_keeps_digits(self):
        self.assertEqual(slugify("Top 10 Tips"), "top-10-tips")

    def test_of_nothing_is_nothing(self):
        self.assertEqual(slugify("!?"), "")


class Wrap(unittest.TestCase):
    def test_breaks_between_words(self):
        self.assertEqual(wrap("one two three", width=7), ["one two", "three"])

    def test_leaves_a_long_word_whole(self):
        self.assertEqual(wrap("a incomprehensible b", width=5), ["a", "incomprehensible", "b"])


if __name__ == "__main__":
    unittest.main()
