"""The cells."""

from bench.workload import CONNECTIONS, FLOOD, MAIN, OBSERVED, SIZES, WORKERS, Cell


def test_arguments() -> None:
    """A generator gets its share of the connections, and the idle ones unless they are left out."""
    cell = Cell("c", "c", size_bytes=5, connections=50, pipeline=3, idle=10, deaf=4, churn=True, generator_cores=(0, 1))
    shared = ["--size", "5", "--connections", "25", "--pipeline", "3"]
    assert cell.generator_arguments() == [*shared, "--idle", "5", "--deaf", "2", "--churn"]
    assert cell.generator_arguments(idle=False) == [*shared, "--churn"]


def test_names_are_unique() -> None:
    """Runs are told apart by them."""
    names = [cell.name for cell in (*MAIN, *OBSERVED, *FLOOD, *WORKERS, *SIZES, *CONNECTIONS)]
    assert len(set(names)) == len(names)


def test_what_a_cell_is_compared_with_exists() -> None:
    """And comes before it."""
    names = [cell.name for cell in MAIN]
    for cell in MAIN:
        assert not cell.against or names.index(cell.against) < names.index(cell.name)
        assert cell.target > 0
