"""Stands in for the package of that name: one table of seven rows."""


class BeautifulSoup:
    def __init__(self, page, parser):
        self.text = "41"

    def find(self, tag):
        return self

    def find_all(self, tag):
        return [self] * 7

    def __str__(self):
        return "<td>%s</td>" % self.text
