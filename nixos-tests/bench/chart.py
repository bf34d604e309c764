# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Bars on a logarithmic scale as a PNG, by nothing but Python's own library."""

import math
import struct
import zlib

WHITE, BLACK, LIGHT = (255, 255, 255), (40, 40, 40), (225, 225, 225)
COLOURS = {"without": (160, 160, 160), "with": (230, 140, 40), "pause": (50, 100, 190)}
# Letters of three by five points, a row a digit: its bits are the points.
LETTERS = {
    **{"0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757"},
    **{"7": "71222", "8": "75757", "9": "75717", "A": "75755", "B": "65656", "C": "74447", "D": "65556"},
    **{"E": "74647", "F": "74644", "G": "74557", "H": "55755", "I": "72227", "J": "11157", "K": "55655"},
    **{"L": "44447", "M": "57755", "N": "67555", "O": "25552", "P": "75744", "Q": "25563", "R": "75765"},
    **{"S": "34216", "T": "72222", "U": "55557", "V": "55552", "W": "55775", "X": "55255", "Y": "55222"},
    **{"Z": "71247", " ": "00000", ":": "02020", ",": "00024", ".": "00002", "-": "00700"},
}
SCALE = 2
STEP = 4 * SCALE  # from one letter to the next
BAR, GAP, LEFT, TOP, WIDTH = 6, 8, 190, 50, 900


class Canvas:
    def __init__(self, width, height):
        self.rows = [bytearray(WHITE * width) for _ in range(height)]

    def box(self, x, y, width, height, colour):
        for row in self.rows[y : y + height]:
            row[3 * x : 3 * (x + width)] = bytes(colour) * width

    def text(self, x, y, text):
        for n, letter in enumerate(text):
            for down, digit in enumerate(LETTERS[letter]):
                for right in range(3):
                    if int(digit) & 4 >> right:
                        self.box(x + n * STEP + right * SCALE, y + down * SCALE, SCALE, SCALE, BLACK)

    def png(self):
        chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        size = struct.pack(">IIBBBBB", len(self.rows[0]) // 3, len(self.rows), 8, 2, 0, 0, 0)
        data = zlib.compress(b"".join(b"\0" + row for row in self.rows), 9)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def short(power):
    return f"{10 ** (power % 3)}{('', 'K', 'M', 'G')[power // 3]}"


def chart(title, rows):
    """PNG of ROWS: a label, and pairs of a name in COLOURS and a value of at least 1."""
    values = [value for _, bars in rows for _, value in bars]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values) + 1))
    scale = (WIDTH - LEFT - 20) / (high - low)
    height = TOP + sum(len(bars) * BAR + GAP for _, bars in rows) + 20
    canvas = Canvas(WIDTH, height)
    canvas.text(8, 8, title)
    for n, (name, colour) in enumerate(COLOURS.items()):
        canvas.box(8 + n * 150, 26, 10, 10, colour)
        canvas.text(24 + n * 150, 26, name.upper())
    for power in range(low, high + 1):
        x = LEFT + round((power - low) * scale)
        canvas.box(x, TOP - 4, 1, height - TOP - 12, LIGHT)
        canvas.text(x - 12, height - 14, short(power))
    y = TOP
    for label, bars in rows:
        canvas.text(8, y, label)
        for name, value in bars:
            canvas.box(LEFT, y, max(1, round((math.log10(value) - low) * scale)), BAR - 1, COLOURS[name])
            y += BAR
        y += GAP
    return canvas.png()
