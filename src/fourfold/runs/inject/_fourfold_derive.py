"""How one seed becomes many, inside of a stage and outside: the derivation of the whole project.

``docs/concepts/randomness.md`` has it in words, with examples. It needs nothing but the standard library.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "fourfold-seed/1"
#: What launchers of many processes call the number of a process, those that know best first.
RANKS = (
    "RANK",
    "OMPI_COMM_WORLD_RANK",
    "PMI_RANK",
    "PMIX_RANK",
    "SLURM_PROCID",
    "LOCAL_RANK",
)


def digest(seed: int, stage: str, rank: int, worker: str, library: str, size: int) -> bytes:
    """Bytes that follow from the seed of a run for one use.

    BLAKE2b with the seed (8 bytes, big-endian) as key, ``fourfold-seed/1`` as personalization, over stage,
    rank (decimal), worker and library in UTF-8, with a zero byte between them.

    Args:
        seed: Of the run: 0 to 2**63 - 1.
        stage: Name of the stage; "" for a command.
        rank: Number of the process among those that a launcher started.
        worker: Which process it is besides: "" for the first of a program.
        library: What the bytes are for.
        size: How many, 64 at most.
    """
    try:
        from _blake2 import blake2b  # noqa: PLC0415 - without what `hashlib` loads along
    except ImportError:
        from hashlib import blake2b  # noqa: PLC0415 - another Python, or another layout
    text = "\0".join((stage, str(rank), worker, library)).encode("utf-8", "surrogateescape")
    return blake2b(text, digest_size=size, key=seed.to_bytes(8, "big"), person=VERSION.encode()).digest()


def derive(seed: int, stage: str, rank: int, worker: str, library: str) -> int:
    """A sub-seed of 63 bits: `digest` of 8 bytes, big-endian, without its lowest bit."""
    return int.from_bytes(digest(seed, stage, rank, worker, library, 8), "big") >> 1


def short(seed: int) -> int:
    """The 32 bits of a sub-seed, for libraries that take no more: its lowest."""
    return seed & 0xFFFFFFFF


def parse_seed(text: str) -> "int | None":
    """A seed as the environment has it; None when the text is none."""
    if text.isdigit() and text.isascii() and len(text) < 20:
        seed = int(text)
        return seed if seed < 2**63 else None
    return None


def rank_of(environ: "Mapping[str, str]") -> int:
    """The number of this process among those that a launcher started; 0 without one."""
    for name in RANKS:
        value = environ.get(name, "")
        if value.isdigit() and value.isascii() and len(value) < 10:
            return int(value)
    return 0
