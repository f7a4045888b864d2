"""Cells of the search space without torch: their text, their one form, their shape, and a controller's decisions."""

import itertools

import networkx as nx
import numpy as np
import pytest
from scipy import stats

from advlaw.models.cell_graph import (
    COMBINE,
    OPERATIONS,
    Block,
    Cell,
    Operand,
    canonical,
    canonical_code,
    choices,
    decisions_of,
    drawn,
    from_decisions,
    length,
    loose_ends,
    parse,
    uses_input,
    width,
)

BOTH = tuple(COMBINE)


def random_cell(rng, blocks=7, operations=OPERATIONS, combine=BOTH):
    return from_decisions(drawn(rng, blocks, operations, combine), operations, combine)


def recoded(cell, rng):
    """The same graph: its blocks in a random order in which each takes earlier ones, their operands in any order."""
    number, blocks = {0: 0, 1: 1}, []
    while len(blocks) < len(cell.blocks):
        ready = [
            old
            for old, block in enumerate(cell.blocks)
            if old + 2 not in number and {operand.source for operand in block.operands} <= number.keys()
        ]
        old = int(rng.choice(ready))
        operands = [Operand(number[source], name) for source, name in cell.blocks[old].operands]
        rng.shuffle(operands)
        number[old + 2] = len(blocks) + 2
        blocks.append(Block(*(Operand(*operand) for operand in operands), cell.blocks[old].combine))
    return Cell(tuple(blocks))


def labelled(cell):
    """The graph with the inputs, the operations and the blocks as nodes."""
    graph = nx.DiGraph()
    graph.add_node(0, label="input 0")
    graph.add_node(1, label="input 1")
    for number, block in enumerate(cell.blocks, 2):
        graph.add_node(number, label=block.combine)
        for side, (source, operation) in enumerate(block.operands):
            graph.add_node((number, side), label=operation)
            graph.add_edge(source, (number, side))
            graph.add_edge((number, side), number)
    return graph


def test_a_code_is_read_and_written():
    code = "0 sep_3x3 + 1 identity, 2 conv_1x1 & 0 max_3x3"
    cell = parse(code)
    assert cell.blocks == (
        Block(Operand(0, "sep_3x3"), Operand(1, "identity"), "add"),
        Block(Operand(2, "conv_1x1"), Operand(0, "max_3x3"), "concat"),
    )
    assert cell.code == code
    assert parse(" 0  sep_3x3 + 1 identity,2 conv_1x1 & 0 max_3x3 ") == cell
    rng = np.random.default_rng(0)
    for drawn_cell in (random_cell(rng) for _ in range(50)):
        assert parse(drawn_cell.code) == drawn_cell


@pytest.mark.parametrize(
    ("code", "mistake"),
    [
        ("", "block 1 of 1, '': must be an input, an operation, [+] or &"),
        ("0 identity + 1 identity,", "block 2 of 2, ''"),
        ("0 identity - 1 identity", "block 1 of 1, '0 identity - 1 identity': must be an input"),
        ("0 identity + 1", "as in '0 sep_3x3 [+] 1 identity'"),
        ("0 identity + 2 identity", "block 1 of 1, .*: input 2: must be one of 0, 1$"),
        ("0 identity + 1 identity, 2 identity + 3 identity", "block 2 of 2, .*: input 3: must be one of 0, 1, 2$"),
        ("0 sep_9x9 + 1 identity", "operation 'sep_9x9': must be one of identity, conv_1x1, .*, max_7x7$"),
    ],
)
def test_a_code_that_is_none_is_refused(code, mistake):
    with pytest.raises(ValueError, match=mistake):
        parse(code)


@pytest.mark.parametrize(
    ("operations", "combine"), [(OPERATIONS, BOTH), (OPERATIONS[:2], BOTH), (["identity"], ["add"])]
)
def test_all_codings_of_a_cell_have_one_form(operations, combine):
    """With few operations most cells have equal blocks, which only what uses them may tell apart."""
    rng = np.random.default_rng(1)
    for _ in range(60):
        cell = random_cell(rng, 7, operations, combine)
        expected = canonical(cell)
        assert canonical(expected) == expected
        assert nx.is_isomorphic(labelled(cell), labelled(expected), lambda a, b: a == b)
        assert {canonical(recoded(cell, rng)) for _ in range(6)} == {expected}


def test_the_one_form_is_the_least_of_all_orders():
    """Over all orders and both orders of the operands of every block, for cells with equal blocks."""
    rng = np.random.default_rng(2)
    for _ in range(20):
        cell = random_cell(rng, 4, ["identity", "max_3x3"], BOTH)
        codings = []
        for order in itertools.permutations(range(4)):
            number = {0: 0, 1: 1} | {old + 2: new + 2 for new, old in enumerate(order)}
            blocks = []
            for old in order:
                operands = sorted(Operand(number[source], name) for source, name in cell.blocks[old].operands)
                blocks.append(Block(*operands, cell.blocks[old].combine))
            if all(operand.source < place + 2 for place, block in enumerate(blocks) for operand in block.operands):
                codings.append(tuple(blocks))
        assert canonical(cell).blocks == min(codings)


def test_two_cells_have_one_form_only_if_their_graphs_are_isomorphic():
    rng = np.random.default_rng(3)
    cells = [random_cell(rng, 2, ["identity"], BOTH) for _ in range(25)]
    cells += [random_cell(rng, 3, ["identity"], ["add"]) for _ in range(30)]
    same = 0
    for first, second in itertools.combinations(cells, 2):
        found = nx.is_isomorphic(labelled(first), labelled(second), lambda a, b: a == b)
        assert (canonical(first) == canonical(second)) == found, (first.code, second.code)
        same += found
    assert same > 5


def test_equal_blocks_that_are_used_differently_are_told_apart():
    twins = "0 identity + 1 identity, 0 identity + 1 identity"
    assert canonical_code(f"{twins}, 2 identity + 2 max_3x3, 3 conv_1x1 + 3 conv_1x1") == canonical_code(
        f"{twins}, 3 max_3x3 + 3 identity, 2 conv_1x1 + 2 conv_1x1"
    )
    assert canonical_code(f"{twins}, 2 identity + 2 max_3x3") == canonical_code(f"{twins}, 3 max_3x3 + 3 identity")
    assert canonical_code(f"{twins}, 2 identity + 2 max_3x3") != canonical_code(f"{twins}, 2 identity + 3 max_3x3")


@pytest.mark.parametrize(
    ("code", "ends", "long", "wide"),
    [
        (", ".join(["0 sep_3x3 + 1 identity"] * 5), [0, 1, 2, 3, 4], 2, 5.0),
        ("0 identity + 1 identity, 2 identity & 0 identity, 3 identity + 2 identity", [2], 4, 1.5),
        (
            "0 sep_3x3 + 0 sep_3x3, 0 max_3x3 + 0 avg_3x3, 0 identity + 3 dilated_3x3, 3 conv_1x1 & 3 identity",
            [0, 2, 3],
            3,
            2.5,
        ),
    ],
)
def test_loose_ends_length_and_width_are_those_by_hand(code, ends, long, wide):
    cell = parse(code)
    assert (loose_ends(cell), length(cell), width(cell)) == (ends, long, wide)


def test_length_is_the_longest_path_and_width_and_inputs_do_not_depend_on_the_coding():
    rng = np.random.default_rng(4)
    for cell in (random_cell(rng) for _ in range(40)):
        graph = labelled(cell)
        graph.add_edges_from((end + 2, "output") for end in loose_ends(cell))
        connections = (nx.dag_longest_path_length(graph) + 1) / 2  # an operation is a node in the middle of one
        assert length(cell) == connections
        other = recoded(cell, rng)
        assert (length(other), width(other)) == (length(cell), width(cell))
        for which in (0, 1):
            assert uses_input(cell, which) == uses_input(other, which) == (graph.out_degree(which) > 0)


def test_decisions_are_those_of_a_controller_and_back():
    assert choices(3, 13, 2) == [2, 2, 13, 13, 2, 3, 3, 13, 13, 2, 4, 4, 13, 13, 2]
    cell = from_decisions([0, 1, 6, 0, 0, 2, 0, 1, 10, 1], OPERATIONS, BOTH)
    assert cell.code == "0 sep_3x3 + 1 identity, 2 conv_1x1 & 0 max_3x3"
    rng = np.random.default_rng(5)
    for _ in range(30):
        decisions = drawn(rng, 7, OPERATIONS[3:6], ["concat"])
        assert (
            decisions_of(from_decisions(decisions, OPERATIONS[3:6], ["concat"]), OPERATIONS[3:6], ["concat"])
            == decisions
        )


def test_random_decisions_are_uniform():
    """Chi-squared of each of 10 decisions over 2,000 cells; one in a million such tests would fail."""
    rng = np.random.default_rng(6)
    allowed = choices(2, 13, 2)
    found = np.array([drawn(rng, 2, OPERATIONS, BOTH) for _ in range(2000)])
    for column, count in zip(found.T, allowed, strict=True):
        seen = np.bincount(column, minlength=count)
        assert len(seen) == count
        assert stats.chisquare(seen).pvalue > 1e-7


@pytest.mark.parametrize(
    ("decisions", "mistake"),
    [
        ([], "decisions: 0 of them: must be 5 for each block"),
        ([0, 1, 2, 3], "decisions: 4 of them"),
        ([0, 2, 0, 0, 0], r"decisions\[1\] = 2: must be one of 0 to 1"),
        ([0, 1, 0, 13, 0], r"decisions\[3\] = 13: must be one of 0 to 12"),
        ([0, 1, 0, 0, -1], r"decisions\[4\] = -1: must be one of 0 to 1"),
    ],
)
def test_decisions_that_are_no_cell_are_refused(decisions, mistake):
    with pytest.raises(ValueError, match=mistake):
        from_decisions(decisions, OPERATIONS, BOTH)
