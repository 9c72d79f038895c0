#!/usr/bin/env python3
"""A partitioning strategy for shardlab, with Python's standard library alone.

Run it with:

    shardlab partition --trace TRACE.csv.gz --command "python3 strategies/python/greedy.py"

It improves the allocation in force: every account, the busiest first, moves to the shard that it
trades with most, as long as that shard does not become more than a tenth heavier than the mean.
docs/strategies.md describes what is read and written.
"""

import json
import sys


def main():
    header = json.loads(sys.stdin.readline())
    if header["shardlab_strategy"] != 1:
        sys.exit("this strategy speaks version 1")
    shards = header["shards"]

    home, load, movable = [], [], []
    for _ in range(header["accounts"]):
        _address, shard, weight, _contract = sys.stdin.readline().rstrip("\n").split(",")
        # Residents live on every shard: they have no home and never move.
        movable.append(shard != "")
        home.append(int(shard) if shard else None)
        load.append(int(weight))

    neighbours = [[] for _ in home]
    for _ in range(header["pairs"]):
        a, b, weight = map(int, sys.stdin.readline().split(","))
        neighbours[a].append((b, weight))
        neighbours[b].append((a, weight))

    weights = [0] * shards
    for shard, weight in zip(home, load):
        if shard is not None:
            weights[shard] += weight
    cap = 1.1 * sum(weights) / shards

    allocation = list(home)
    busiest = sorted((v for v in range(len(home)) if movable[v]), key=lambda v: (-load[v], v))
    for _ in range(5):
        moved = 0
        for vertex in busiest:
            ties = [0] * shards
            for other, weight in neighbours[vertex]:
                if allocation[other] is not None:
                    ties[allocation[other]] += weight
            own = allocation[vertex]
            room = [s for s in range(shards) if s != own and weights[s] + load[vertex] <= cap]
            best = max(room, key=lambda s: (ties[s], -weights[s], -s), default=own)
            if ties[best] > ties[own]:
                weights[own] -= load[vertex]
                weights[best] += load[vertex]
                allocation[vertex] = best
                moved += 1
        if not moved:
            break

    # Only accounts that shall live elsewhere are named; "end" says that nothing was lost.
    print(json.dumps({"shardlab_strategy": 1}))
    for vertex, shard in enumerate(allocation):
        if shard != home[vertex]:
            print(f"{vertex},{shard}")
    print("end")


main()
