"""Numbers of standing exchanges by topic."""

import numpy as np

from services.network.columns import Columns


def count_exchanges_by_topic(columns: Columns) -> dict[str, int]:
    """See `ledger.programme.exchange_counts`. Topics of no standing exchange may count 0."""
    standing = columns.exchanges.topic_set[columns.is_standing]
    set_counts = np.bincount(standing, minlength=max(columns.topic_sets, default=0) + 1)
    counts = dict[str, int]()
    for number, topics in columns.topic_sets.items():
        for topic in topics:
            counts[topic] = counts.get(topic, 0) + int(set_counts[number])
    return counts
