"""Ways to break the contract: what is exchanged in the stranger's method, and which check must see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Edits = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Fault:
    """One fault: its title, the edit that makes it, the check that must find it, and a part of what that says."""

    title: str
    old: str
    new: str
    check: str
    says: str

    @property
    def edits(self) -> Edits:
        """As the fixture `method` takes them."""
        return [(self.old, self.new)]


READ = 'refuse(f"request.json: {error}")'
VERSION = 'refuse("only version 1 of the contract is spoken here")'
STRANGE = 'refuse(f"the training label {label} is no class of the request")'
PARAMETER = 'refuse("the only parameter is rate")'
WRITE = "    write(request, [] if late else labels)"

FAULTS = (
    Fault(
        "labels that nobody asked for",
        old='{index}.png", label, seed',
        new='{index}.png", "cervix", seed',
        check="answers",
        says="label 'cervix' was not asked for",
    ),
    Fault(
        "more memory than it says",
        old=WRITE,
        new=f"    held = b'x' * (300 << 20)\n    time.sleep(0.5)\n{WRITE}",
        check="answers",
        says="Its [needs] memory_mib is 128: raise it",
    ),
    Fault(
        "chance that does not come from the seed",
        old="random.Random(seed))",
        new="random.Random())",
        check="repeatable",
        says="images/other/0.png and 9 more",
    ),
    Fault(
        "the order of the training images",
        old=WRITE,
        new="    write(request, [] if late else list(dict.fromkeys(trained)))",
        check="labels and order",
        says="classes must follow the request's order",
    ),
    Fault(
        "0 on a request that cannot be read",
        old=READ,
        new="sys.exit(0)",
        check="bad request: no JSON",
        says="ended with 0 (done)",
    ),
    Fault(
        "a traceback on a request that cannot be read",
        old=READ,
        new="raise",
        check="bad request: no JSON",
        says="ended with 1",
    ),
    Fault(
        "2 without a word",
        old=READ,
        new="sys.exit(2)",
        check="bad request: no JSON",
        says="without a message",
    ),
    Fault(
        "a manifest before the request is read",
        old=READ,
        new='(OUTPUT / "manifest.csv").write_text("")\n        refuse(error)',
        check="bad request: no JSON",
        says="but wrote manifest.csv",
    ),
    Fault(
        "any version of the contract",
        old=VERSION,
        new="pass",
        check="bad request: version",
        says="contract_version 99: it ended with 0",
    ),
    Fault(
        "any training label",
        old=STRANGE,
        new="pass",
        check="bad request: label",
        says="no class of the request (thorax): it ended with 0",
    ),
    Fault(
        "no look at the clock",
        old='> 0.8 * request["deadline_seconds"]',
        new="> 1000",
        check="deadline",
        says="after its deadline of 1 s, and was ended",
    ),
    Fault(
        "5 with nothing usable",
        old=WRITE,
        new=f"    if late:\n        sys.exit(5)\n{WRITE}",
        check="deadline",
        says="left no valid response: result.json is missing",
    ),
    Fault(
        "errors of writing that are passed over",
        old="\n\nmain()\n",
        new="\n\ntry:\n    main()\nexcept OSError:\n    pass\n",
        check="unwritable output",
        says="ended with 0 although nothing could be written",
    ),
)
