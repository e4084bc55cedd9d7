"""Count the primes below $LIMIT, each task a share of them.

    sunya run jobs deploy primes --source examples/run-job --tasks 4
    sunya run jobs execute primes --wait --update-env-vars LIMIT=1000000
    sunya run jobs logs read primes
"""

import os
import sys

INDEX = int(os.environ.get("CLOUD_RUN_TASK_INDEX", 0))
COUNT = int(os.environ.get("CLOUD_RUN_TASK_COUNT", 1))
ATTEMPT = int(os.environ.get("CLOUD_RUN_TASK_ATTEMPT", 0))
LIMIT = int(os.environ.get("LIMIT", 100_000))


def is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))


def main():
    # What a task does it may have to do again: nothing here minds.
    begin, end = LIMIT * INDEX // COUNT, LIMIT * (INDEX + 1) // COUNT
    found = sum(is_prime(n) for n in range(begin, end))
    print(f"task {INDEX}, attempt {ATTEMPT}: {found} primes from {begin} to {end - 1}")


if __name__ == "__main__":
    sys.exit(main())
