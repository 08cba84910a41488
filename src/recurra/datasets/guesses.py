"""What a table's columns are for where nobody said: told by the words in their names, and by what they hold."""

import re
from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from recurra.datasets.tables import HEADER_HINT
from recurra.datasets.times import ENOUGH, counted, look_like_times
from recurra.errors import InputError

if TYPE_CHECKING:
    from recurra.datasets.roles import Reader

# Words in the names of columns, the most telling first. ``covariate``: what is not forecast while another column can
# be. ``rows``: what numbers them.
WORDS = {
    role: words.split()
    for role, words in {
        "ds": "ds date datetime timestamp time month day week year period quarter",
        "unique_id": "id item store sku product shop series ticker symbol station sensor meter nbr site device branch "
        "outlet warehouse customer household machine turbine feeder dept department",
        "y": "y value target sales demand close quantity qty count cnt amount sold revenue turnover load consumption "
        "kwh units volume orders visitors",
        "covariate": "price cost discount promo promotion onpromotion holiday temperature temp humidity rain wind "
        "weather month day week weekday year quarter hour open high low lag",
        "rows": "id index idx row unnamed column",
    }.items()
}
# A column tells series apart where at most one row in so many has the time of another one of its series.
FEW_REPEATED = 10


def words_of(name: str) -> list[str]:
    """A name's parts, in small letters.

    >>> words_of("Weekly_Sales"), words_of("StoreID"), words_of("order date")
    (['weekly', 'sales'], ['store', 'id'], ['order', 'date'])
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)", " ", name)
    return [word for word in re.split(r"[\W_]+", apart.casefold()) if word]


def rank(name: str, role: str) -> int | None:
    """How little a name says for a role, 0 for the most; None for nothing.

    The last word that is known at all decides, as a sales price is a price; that word alone comes before several.

    >>> rank("date", "ds"), rank("Order Date", "ds"), rank("sales_price", "y"), rank("item_count", "unique_id")
    (1, 12, None, None)
    """
    words, usual = words_of(name), WORDS[role]
    head = next((word for word in reversed(words) if any(word in known for known in WORDS.values())), None)
    return usual.index(head) + len(usual) * (len(words) > 1) if head in usual else None


class Guesser:
    """Looks for one role after the other among the columns that are left. columns: those that nobody chose."""

    def __init__(self, reader: "Reader", columns: Sequence[str]):
        self.reader, self.left = reader, list(columns)

    def take(self, role: str, ds: str | None) -> str | None:
        """The column of a role (``ds``, then ``unique_id``, then ``y``), which is then no longer left; None where there
        is none. ds: the column of times, once known. Raises InputError where several could be, and for ``y`` none.
        """
        if role in self.left:
            found: str | None = role
        else:
            found = {"ds": self._times, "unique_id": lambda: self._ids(ds), "y": self._target}[role]()
        if found is not None:
            self.left.remove(found)
        return found

    def _times(self) -> str | None:
        """A column of dates, best by its name; else one that has a time's name and no other word in it."""
        ranks = {column: rank(column, "ds") for column in self.left}
        dates = [column for column in self.left if self._dated(column)]
        best = min((r for column in dates if (r := ranks[column]) is not None), default=None)
        if dates:
            found = [column for column in dates if ranks[column] == best]
            if len(found) > 1:
                raise self._unclear("several columns hold dates: which are the times?", "ds", found)
            return found[0]
        alone = {r: column for column, r in reversed(ranks.items()) if r is not None and r < len(WORDS["ds"])}
        return alone[min(alone)] if alone else None

    def _dated(self, column: str) -> bool:
        """Whether it holds dates. Numbers that could be some are so only under a time's name."""
        import pandas as pd

        there = np.flatnonzero(~self.reader.absent(column))[:ENOUGH]
        values = self.reader.table[column].iloc[there]
        if not self.reader.is_numeric(column):
            return look_like_times(list(values))
        if rank(column, "ds") is None or not self.reader.is_whole(column):
            return False
        whole = self.reader.numbers(column)[there].astype(np.int64)
        return counted(pd.Series(whole, index=values.index, name=column), self.reader.name).utc.dtype.kind == "M"

    def _ids(self, ds: str | None) -> str | None:
        """The column that leaves each series one row for a time: of texts, or named like an id."""
        table, named = self.reader.table, {column: rank(column, "unique_id") for column in self.left}
        candidates = [
            column
            for column, r in named.items()
            if (self.reader.is_text(column) or (r is not None and self.reader.is_whole(column)))
            and not self._dated(column)
            and not self.reader.is_unique(column)
        ]
        candidates.sort(key=lambda column: (named[column] is None, named[column]))
        of_ids = [column for column in candidates if named[column] is not None]
        if ds is None:
            return of_ids[0] if of_ids else None

        def repeated(*columns: str) -> int:
            return int(table.duplicated([*columns, ds]).sum())

        few = len(table) // FEW_REPEATED
        if repeated() <= few:  # one series, unless a name says otherwise
            candidates = of_ids
        best = min(candidates, key=repeated, default=None)
        if best is None or repeated(best) <= few:
            return best
        pairs = (pair for count in (2, 3) for pair in combinations(candidates[:6], count))
        together = next((",".join(pair) for pair in pairs if repeated(*pair) <= few), "NAME")
        time = table[ds][table[ds].duplicated()].iloc[0]
        raise InputError(
            f"{self.reader.name}: several rows have the {ds} {time}, and none of {', '.join(candidates)} tells their "
            f"series apart; choose with --column unique_id={together}, several with commas between them"
        )

    def _target(self) -> str:
        """The numbers that are named like a target, else the only ones there are, best without covariates and ids."""
        numeric = [c for c in self.left if self.reader.is_numeric(c) and not self.reader.absent(c).all()]
        by_rank = {r: c for c in reversed(numeric) if (r := rank(c, "y")) is not None}
        if by_rank:
            return by_rank[min(by_rank)]
        likely = [c for c in numeric if not self._is_aside(c)]
        for among in (likely, numeric):
            if len(among) == 1:
                return among[0]
        raise self._unclear("which column is to be forecast?", "y", likely or self.left, ", or several with commas,")

    def _is_aside(self, column: str) -> bool:
        """Whether this is hardly what is forecast: a covariate or an id by its name, a flag, or numbers of rows."""
        named = any(rank(column, role) is not None for role in ("covariate", "unique_id"))
        numbers = self.reader.numbers(column)
        flag = not set(np.unique(numbers[~np.isnan(numbers)])) - {0.0, 1.0}
        return named or flag or numbers_rows(self.reader, column)

    def _unclear(self, question: str, role: str, columns: list[str], more: str = "") -> InputError:
        return InputError(
            f"{self.reader.name}: {question} Choose with --column {role}=NAME{more} from {', '.join(columns)}; "
            f"{HEADER_HINT}"
        )


def numbers_rows(reader: "Reader", column: str) -> bool:
    """Whether a column of whole numbers just numbers the rows: each once under such a name, or, under a name that says
    nothing, one after the other.
    """
    if not reader.is_whole(column) or not reader.is_unique(column):
        return False
    nameless = all(rank(column, role) is None for role in WORDS)
    return rank(column, "rows") is not None or (nameless and bool((np.diff(reader.numbers(column)) == 1).all()))
