import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "src"))

from slugs import handler, slug


class Slugs(unittest.TestCase):
    def test_words_are_joined(self):
        self.assertEqual(slug("  Hello, World 2!"), "hello-world-2")

    def test_the_title_is_a_parameter_of_the_query(self):
        event = {"queryStringParameters": {"title": "A b"}}
        self.assertEqual(handler(event, None)["body"], "a-b\n")
        self.assertEqual(handler({}, None)["body"], "\n")


if __name__ == "__main__":
    unittest.main()
