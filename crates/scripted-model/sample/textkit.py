"""Two small helpers for text."""

import re


def slugify(title):
    """Turn a title into the part of a URL that names it: lower case, words joined by hyphens."""
    words = re.findall(r"[a-z]+", title.lower())
    return "-".join(words)


def wrap(text, width=72):
    """Break text into lines of at most `width` characters; a longer word gets a line of its own."""
    lines = []
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    if line:
        lines.append(line)
    return lines
