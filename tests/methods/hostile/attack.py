"""One attack on the host, by name:  python attack.py NAME

Whatever should be impossible and works ends with `BREACH: what` and exit code 99. An attack that is stopped says
`blocked: why` and ends with 70. An attack by its answer ends with 0: then the host must refuse the answer.
"""

import os
import sys

import answers
import network
import reading
import resources
import rights
import writing
from toolbox import Blocked, Breach

ATTACKS = {
    name: attack
    for room in (network, reading, writing, answers, resources, rights)
    for name, attack in vars(room).items()
    if callable(attack) and getattr(attack, "__module__", "") == room.__name__ and not name.startswith("_")
}


def main(name):
    try:
        ATTACKS[name]()
    except Breach as breach:
        return f"BREACH: {breach}", 99
    except Blocked as reason:
        return f"blocked: {reason}", 70
    except OSError as error:
        return f"blocked: {error.strerror}", 70
    return "", 0


if __name__ == "__main__":
    said, code = main(sys.argv[1])
    if said:
        print(said, file=sys.stderr, flush=True)
    os._exit(code)
