"""The table of `rebase`: what each signer costs a commit, and how much of that the services had it.

Usage: rebase_table.py REQUESTS NAME=TIMES ... [--apart NAME=TIMES]   (the first NAME is unsigned)

REQUESTS is the sandbox's request log, TIMES what `timed` wrote. A request belongs to the commit during which it was
answered; what several have in common is counted once. What stands apart is no commit and gets a line of its own.
"""

import statistics
import sys


def intervals(path, begin, length=None, end=None):
    """(began, ended) of every line, in microseconds."""
    for line in open(path, encoding="ascii"):
        fields = line.split()
        began = int(fields[begin])
        yield began, int(fields[end]) if end is not None else began + int(fields[length])


def covered(spans, began, ended):
    """For how much of began..ended at least one of the spans, which are sorted, was there."""
    total, reached = 0, began
    for start, stop in spans:
        start, stop = max(start, reached), min(stop, ended)
        if stop > start:
            total += stop - start
            reached = stop
    return total


def main():
    requests = sorted(intervals(sys.argv[1], begin=0, length=4))
    rows = []
    words, apart = sys.argv[2:], []
    if "--apart" in words:
        at = words.index("--apart")
        words, apart = words[:at], words[at + 1 :]
    for word in words + apart:
        name, path = word.split("=", 1)
        times = list(intervals(path, begin=0, end=1))
        walls = [ended - began for began, ended in times]
        inside = [covered(requests, began, ended) for began, ended in times]
        rows.append((name, walls, inside, [wall - own for wall, own in zip(walls, inside)]))
    median = lambda values: statistics.median(values) / 1e3
    nets = {name: median(net) for name, _, _, net in rows}
    unsigned, gpg = rows[0][0], nets.get("gpg with gpg-agent")
    print(f"{'git commit --amend -S, ms':<34}{'n':>5}{'median':>9}{'p90':>9}{'min':>9}{'services':>10}{'without':>9}"
          f"{'signing':>9}{'x unsigned':>12}{'x gpg':>8}{'total s':>9}")
    for name, walls, inside, net in rows[: len(words)]:
        p90 = sorted(walls)[(len(walls) - 1) * 9 // 10] / 1e3
        against_gpg = f"{nets[name] / gpg:>8.2f}" if gpg else f"{'-':>8}"
        print(f"{name:<34}{len(walls):>5}{median(walls):>9.2f}{p90:>9.2f}{min(walls) / 1e3:>9.2f}{median(inside):>10.2f}"
              f"{nets[name]:>9.2f}{nets[name] - nets[unsigned]:>9.2f}{nets[name] / nets[unsigned]:>12.2f}{against_gpg}"
              f"{sum(walls) / 1e6:>9.2f}")
    for name, walls, inside, _ in rows[len(words) :]:
        print(f"\n{name}: median {median(walls):.2f} ms, of which the services {median(inside):.2f} ms")


main()
