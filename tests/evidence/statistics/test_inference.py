"""Tests and distributions against SciPy on grids, and by simulation: how often they err."""

import itertools
import math
import random

import pytest
from scipy import integrate, special, stats

from fourfold.base.errors import UsageError
from fourfold.evidence.statistics import distributions as mine
from fourfold.evidence.statistics import inference as statistics
from fourfold.evidence.statistics.inference import TooFewValuesError
from fourfold.evidence.statistics.sequential import NoisySearch, normal_log_ratio

DFS = (1, 2, 3, 5, 7.3, 12, 30, 100, 1000.5)
XS = (-40.0, -8.0, -3.0, -1.5, -0.3, -1e-6, 0.0, 1e-6, 0.2, 1.0, 2.5, 6.0, 25.0)


def normals(n: int, seed: int, middle: float = 0.0, spread: float = 1.0) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(middle, spread) for _ in range(n)]


# -- distributions ----------------------------------------------------------


def test_that_students_t_is_what_scipy_says_it_is_in_its_tails_too() -> None:
    for df, x in itertools.product(DFS, XS):
        assert mine.t_upper(x, df) == pytest.approx(stats.t.sf(x, df), rel=1e-9, abs=1e-300)


def test_that_the_quantile_of_students_t_is_what_scipy_says_it_is() -> None:
    for df, p in itertools.product(DFS, (1e-6, 0.001, 0.025, 0.05, 0.4, 0.5, 0.6, 0.9, 0.975, 0.9999)):
        assert mine.t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-8, abs=1e-12)
    assert mine.t_quantile(0.0, 3) == -math.inf
    assert mine.t_quantile(1.0, 3) == math.inf


def test_that_the_normal_distribution_is_what_scipy_says_it_is() -> None:
    for x in XS:
        assert mine.normal_cdf(x) == pytest.approx(stats.norm.cdf(x), rel=1e-11, abs=1e-300)


def test_that_incomplete_beta_and_gamma_functions_are_what_scipy_says_they_are() -> None:
    for a, b, x in itertools.product(
        (0.5, 1, 2.5, 20, 300), (0.5, 3, 45), (0, 1e-9, 0.01, 0.3, 0.7, 0.99, 1)
    ):
        assert mine.beta_regularized(x, a, b) == pytest.approx(special.betainc(a, b, x), rel=1e-9, abs=1e-14)
    for a, x in itertools.product((0.5, 1, 3, 10.5, 200), (0, 1e-6, 0.5, 2, 11, 150, 260, 900)):
        assert mine.gamma_upper(a, x) == pytest.approx(special.gammaincc(a, x), rel=1e-9, abs=1e-14)
    assert mine.gamma_upper(2.0, math.inf) == 0.0


def test_that_kolmogorovs_limit_is_what_scipy_says_it_is() -> None:
    for x in (-1.0, 0.0, 0.05, 0.3, 0.5, 0.99, 1.0, 1.01, 1.36, 2.0, 4.0):
        assert mine.kolmogorov_upper(x) == pytest.approx(special.kolmogorov(x), rel=1e-9, abs=1e-15)


# -- means and equivalence --------------------------------------------------


def test_that_means_and_deviations_are_those_of_scipy_however_large_or_small_the_numbers() -> None:
    values = normals(12, 31, 3.0, 2.0)
    assert statistics.mean(values) == pytest.approx(stats.tmean(values), rel=1e-14)
    for scale in (1e-200, 1e-5, 1.0, 1e150):
        found = statistics.deviation([value * scale for value in values])
        assert found == pytest.approx(stats.tstd(values) * scale, rel=1e-12)
    assert statistics.variance(values) == pytest.approx(stats.tvar(values), rel=1e-12)
    assert statistics.mean([1.7e308, 1.7e308]) == pytest.approx(1.7e308)
    assert statistics.variance([-1e200, 1e200]) == math.inf
    assert statistics.variance([10**20, 10**20 + 1]) in {0.0, 0.5}
    assert statistics.deviation([5.0, 5.0, 5.0]) == 0.0
    assert math.isnan(statistics.mean([math.inf, -math.inf]))
    for odd in ([math.nan, 1.0], [1.0, math.nan], [math.inf, 1.0], [math.inf, -math.inf]):
        assert not math.isfinite(statistics.deviation(odd))
    with pytest.raises(TooFewValuesError):
        statistics.deviation([1.0])


def test_that_intervals_of_differences_are_those_of_scipy() -> None:
    a, b = normals(9, 1), normals(14, 2, 0.4, 3.0)
    theirs = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.9)
    assert statistics.tost_welch(a, b, 1.0).interval[:2] == pytest.approx((theirs.low, theirs.high))
    differences = [y - x for x, y in zip(a, b, strict=False)]
    low, high = stats.t.interval(0.8, 8, loc=sum(differences) / 9, scale=stats.sem(differences))
    assert statistics.tost_paired(a, b[:9], 1.0, 0.1).interval[:2] == pytest.approx((low, high))


def test_that_degrees_of_freedom_are_those_of_welch_also_where_one_side_or_none_scatters() -> None:
    a, b = normals(5, 61), normals(11, 62, 0.0, 4.0)
    theirs = stats.ttest_ind(b, a, equal_var=False)
    assert statistics.tost_welch(a, b, 1.0).df == pytest.approx(theirs.df)
    assert statistics.tost_welch([1.0] * 5, b, 1.0).df == pytest.approx(10)
    tiny = [each * 1e-200 for each in a], [each * 1e-200 for each in b]
    assert statistics.tost_welch(*tiny, 1.0).df == pytest.approx(theirs.df)
    same = statistics.tost_welch([1.0] * 6, [1.0] * 6, 0.1)
    assert (same.answer, same.p) == ("equivalent", 0.0)
    moved = statistics.tost_welch([1.0] * 6, [1.5] * 6, 0.1)
    assert (moved.answer, moved.p) == ("different", 1.0)


def test_that_what_is_no_number_is_never_called_equivalent_or_different() -> None:
    good = normals(8, 71)
    for odd in (math.nan, math.inf, -math.inf):
        bad = [*good[:-1], odd]
        for found in (statistics.tost_paired(good, bad, 1.0), statistics.tost_welch(good, bad, 1.0)):
            assert found.answer == "inconclusive"
            assert not found.p < 0.05


def test_that_equivalence_of_pairs_is_two_one_sided_t_tests() -> None:
    before, after = normals(10, 3), normals(10, 4, 0.1)
    found = statistics.tost_paired(before, after, margin=0.8)
    differences = [y - x for x, y in zip(before, after, strict=True)]
    above = stats.ttest_1samp(differences, -0.8, alternative="greater").pvalue
    below = stats.ttest_1samp(differences, 0.8, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below), rel=1e-9)
    assert (found.answer == "equivalent") == (found.p < 0.05)
    assert found.interval.level == pytest.approx(0.9)


def test_that_equivalence_of_two_samples_is_two_one_sided_tests_of_welch() -> None:
    a, b = normals(8, 5), normals(20, 6, 0.0, 2.0)
    found = statistics.tost_welch(a, b, margin=2.0)
    moved = [each + 2.0 for each in b]
    above = stats.ttest_ind(moved, a, equal_var=False, alternative="greater").pvalue
    moved = [each - 2.0 for each in b]
    below = stats.ttest_ind(moved, a, equal_var=False, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below), rel=1e-9)


def test_that_an_interval_within_the_margin_is_what_equivalent_means() -> None:
    for seed, margin in itertools.product(range(30), (0.3, 0.6, 1.2)):
        found = statistics.tost_paired(normals(8, seed), normals(8, seed + 100, 0.2), margin)
        within = -margin < found.interval.low and found.interval.high < margin
        assert (found.answer == "equivalent") == within


def test_that_pairs_without_spread_are_decided_by_their_difference() -> None:
    same = statistics.tost_paired([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], margin=0.01)
    assert (same.answer, same.p) == ("equivalent", 0.0)
    moved = statistics.tost_paired([1.0, 2.0, 3.0], [2.0, 3.0, 4.0], margin=0.5)
    assert (moved.answer, moved.p) == ("different", 1.0)


def test_that_what_cannot_be_tested_is_refused_by_name() -> None:
    with pytest.raises(TooFewValuesError):
        statistics.tost_paired([1.0], [2.0], 0.1)
    with pytest.raises(UsageError, match="as many values"):
        statistics.tost_paired([1.0, 2.0], [2.0], 0.1)
    with pytest.raises(UsageError, match="margin"):
        statistics.tost_paired([1.0, 2.0], [2.0, 3.0], 0.0)
    with pytest.raises(UsageError, match="margin"):
        statistics.tost_paired([1.0, 2.0], [2.0, 3.0], math.nan)


def test_that_a_true_difference_of_the_margin_is_called_equivalent_no_more_often_than_alpha() -> None:
    rng, trials = random.Random(7), 3000
    paired = welch = 0
    for _ in range(trials):
        before = [rng.gauss(0, 1) for _ in range(8)]
        after = [value + rng.gauss(1.5, 1) for value in before]
        paired += statistics.tost_paired(before, after, 1.5).answer == "equivalent"
        other = [rng.gauss(1.5, 0.5) for _ in range(12)]
        welch += statistics.tost_welch(before, other, 1.5).answer == "equivalent"
    # Three standard errors of the count above five of a hundred.
    most = trials * 0.05 + 3 * math.sqrt(trials * 0.05 * 0.95)
    assert paired <= most
    assert welch <= most


def test_that_the_stated_power_is_how_often_the_equivalent_are_found_so() -> None:
    rng, trials = random.Random(11), 2000
    found = sum(
        statistics.tost_paired([0.0] * 10, normals(10, rng.getrandbits(30), 0.1), 1.0).answer == "equivalent"
        for _ in range(trials)
    )
    power = statistics.tost_power(10, 1.0, 1.0, 0.1)
    assert found / trials == pytest.approx(power, abs=4 * math.sqrt(power * (1 - power) / trials))


def test_that_power_is_that_of_a_direct_integration() -> None:
    for n, spread, margin, apart in ((6, 1.0, 1.0, 0.0), (12, 2.0, 1.5, 0.5), (40, 1.0, 0.5, 0.1)):
        error, critical = spread / math.sqrt(n), stats.t.ppf(0.95, n - 1)

        def inside(
            u: float,
            n: int = n,
            margin: float = margin,
            apart: float = apart,
            e: float = error,
            c: float = critical,
        ) -> float:
            reach = margin / e - c * math.sqrt(u / (n - 1))
            chance = stats.norm.cdf(reach - apart / e) - stats.norm.cdf(-reach - apart / e)
            return float(max(0.0, chance) * stats.chi2.pdf(u, n - 1))

        top = (n - 1) * (margin / error / critical) ** 2
        expected = integrate.quad(inside, 0, min(top, 400), limit=300)[0]
        assert statistics.tost_power(n, spread, margin, apart) == pytest.approx(expected, abs=1e-4)


def test_that_power_is_exact_for_many_pairs_too() -> None:
    for n, margin, apart in ((500, 0.1, 0.0), (5000, 0.03, 0.01), (60_000, 0.01, 0.002)):
        error = 1.0 / math.sqrt(n)
        # So many pairs tell the deviation itself: what is left is the normal distribution.
        reach = margin / error - stats.t.ppf(0.95, n - 1)
        expected = stats.norm.cdf(reach - apart / error) - stats.norm.cdf(-reach - apart / error)
        assert statistics.tost_power(n, 1.0, margin, apart) == pytest.approx(expected, abs=2e-3)
    assert statistics.tost_power(100_000, 1.0, 1e-6) == 0.0


def test_that_the_pairs_needed_are_the_fewest_with_that_power() -> None:
    n = statistics.tost_needed(1.0, 0.5, 0.1)
    assert n is not None
    assert statistics.tost_power(n, 1.0, 0.5, 0.1) >= 0.8 > statistics.tost_power(n - 1, 1.0, 0.5, 0.1)
    assert statistics.tost_needed(1.0, 0.5, 0.5) is None
    assert statistics.tost_needed(1.0, 1e-6) is None
    assert statistics.tost_needed(0.0, 0.5) == statistics.FEWEST_PAIRS
    assert statistics.tost_power(1, 1.0, 0.5) == 0.0


# -- many tests, distributions ----------------------------------------------


def test_that_adjusted_p_values_are_those_of_their_definitions() -> None:
    values = [0.01, 0.04, 0.03, 0.005, 0.9, 0.2]
    assert statistics.holm(values) == pytest.approx([0.05, 0.12, 0.12, 0.03, 0.9, 0.4])
    assert statistics.holm([]) == []
    assert statistics.holm([0.3]) == [0.3]
    assert statistics.holm([0.02, 0.02, 0.02]) == pytest.approx([0.06, 0.06, 0.06])
    assert statistics.holm([0.9, 1.0, 1.0]) == [1.0, 1.0, 1.0]


def test_that_the_chance_of_any_false_finding_among_many_stays_below_the_level() -> None:
    rng, trials = random.Random(17), 2000
    wrong = sum(min(statistics.holm([rng.random() for _ in range(40)])) < 0.05 for _ in range(trials))
    assert wrong / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_that_two_small_samples_are_compared_as_scipy_does_exactly() -> None:
    for n, m, seed in ((3, 5, 0), (8, 8, 1), (20, 13, 2), (60, 45, 3), (1, 1, 4)):
        a, b = normals(n, seed), normals(m, seed + 50, 0.5)
        found = statistics.ks_two_sample(a, b)
        theirs = stats.ks_2samp(a, b, method="exact")
        assert found.how == "exact"
        assert found.statistic == pytest.approx(theirs.statistic)
        assert found.p == pytest.approx(theirs.pvalue, rel=1e-8)
    assert statistics.ks_two_sample([1.0, 2.0], [1.0, 2.0]).p == 1.0


def test_that_samples_of_one_value_of_ties_of_infinities_and_with_gaps_are_compared() -> None:
    assert statistics.ks_two_sample([1.0], [2.0]).p == 1.0
    same = statistics.ks_two_sample([3.0] * 40, [3.0] * 90)
    assert (same.statistic, same.p) == (0.0, 1.0)
    apart = statistics.ks_two_sample([3.0] * 40, [4.0] * 90)
    assert apart.statistic == 1.0
    assert apart.p == pytest.approx(stats.ks_2samp([3.0] * 40, [4.0] * 90, method="exact").pvalue, rel=1e-6)
    ends = statistics.ks_two_sample([-math.inf] * 30, [math.inf] * 30)
    assert ends.statistic == 1.0
    huge = statistics.ks_two_sample([10**30 + at for at in range(30)], [10**30 - at for at in range(1, 31)])
    assert huge.statistic == 1.0
    gaps = statistics.ks_two_sample([math.nan, 1.0, 2.0, math.nan], [1.0, math.nan, 2.0])
    assert gaps.p == 1.0
    with pytest.raises(TooFewValuesError):
        statistics.ks_two_sample([math.nan], [1.0])


def test_that_samples_of_one_distribution_are_told_apart_no_more_often_than_the_level() -> None:
    rng, trials = random.Random(23), 600
    for sizes in ((25, 40), (160, 150)):
        wrong = 0
        for _ in range(trials):
            a, b = ([rng.gauss(0, 1) for _ in range(size)] for size in sizes)
            wrong += statistics.ks_two_sample(a, b).p < 0.05
        assert wrong / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_that_two_large_samples_with_ties_are_compared_by_the_limit() -> None:
    a = [round(each, 1) for each in normals(900, 8)]
    b = [round(each, 1) for each in normals(700, 9, 0.12)]
    found = statistics.ks_two_sample(a, b)
    theirs = stats.ks_2samp(a, b, method="asymp")
    assert found.how == "asymptotic"
    assert found.statistic == pytest.approx(theirs.statistic)
    assert found.p == pytest.approx(theirs.pvalue, rel=0.12)


def test_that_chi_squared_is_that_of_scipy_without_empty_rows() -> None:
    table = [[10, 20, 30], [6, 9, 17], [0, 0, 0]]
    theirs = stats.chi2_contingency(table[:2], correction=False)
    found = statistics.chi_squared(table)
    assert (found.statistic, found.p, found.df) == pytest.approx(
        (theirs.statistic, theirs.pvalue, theirs.dof)
    )
    assert statistics.chi_squared([[1, 2]]).p == 1.0
    for odd in ([], [[]], [[0, 0], [0, 0]], [[5], [7]], [[3, 0], [4, 0]]):
        assert statistics.chi_squared(odd).p == 1.0
    large = [[10**9, 10**9 + 60_000], [10**9 + 60_000, 10**9]]
    theirs = stats.chi2_contingency(large, correction=False)
    assert statistics.chi_squared(large).p == pytest.approx(theirs.pvalue, rel=1e-6)


def test_that_the_stability_index_is_zero_for_the_same_shares_and_finite_for_empty_bins() -> None:
    assert statistics.psi([10, 20, 30], [100, 200, 300]) == pytest.approx(0.0)
    expected = (0.4 - 0.5) * math.log(0.4 / 0.5) + (0.6 - 0.5) * math.log(0.6 / 0.5)
    assert statistics.psi([50, 50], [40, 60]) == pytest.approx(expected)
    assert 0 < statistics.psi([0, 100], [50, 50]) < math.inf
    with pytest.raises(UsageError):
        statistics.psi([1], [1, 2])


# -- one value at a time ----------------------------------------------------


def test_that_a_search_with_certain_answers_is_binary_search() -> None:
    for bad in range(1, 64):
        search, probes = NoisySearch(64), 0
        while (state := search.next()) is not None:
            search.tell_value(state, 1.0 if state >= bad else 0.0)
            probes += 1
        assert search.best() == (bad, 1.0)
        assert probes <= 6


def test_that_a_noisy_search_is_right_as_often_as_it_is_confident() -> None:
    rng, right, probes, trials = random.Random(5), 0, 0, 300
    for _ in range(trials):
        bad = rng.randrange(1, 32)
        search = NoisySearch(32, good=0.9, bad=0.8, spread=0.05)
        while not search.done(0.95):
            state = search.next()
            assert state is not None
            search.tell_value(state, rng.gauss(0.8 if state >= bad else 0.9, 0.05))
        right += search.best().state == bad
        probes += len(search.probes)
    assert right / trials >= 0.93
    assert probes / trials < 16


def test_that_a_search_between_neighbours_is_over_before_it_began() -> None:
    search = NoisySearch(2)
    assert search.next() is None
    assert search.best() == (1, 1.0)
    assert search.done(0.99)


def test_that_a_prior_moves_where_a_search_begins_and_zero_rules_states_out() -> None:
    weights = [0.0] * 100
    weights[90] = weights[95] = 1.0
    search = NoisySearch(100, prior=weights)
    assert search.next() == 90
    search.tell(90, -math.inf)
    assert search.best() == (95, 1.0)
    with pytest.raises(UsageError, match="contradicts"):
        search.tell(90, math.inf)
    with pytest.raises(UsageError):
        search.tell(100, 1.0)
    with pytest.raises(UsageError):
        NoisySearch(1)
    with pytest.raises(UsageError):
        NoisySearch(3, prior=[1, 0, 0])
    with pytest.raises(UsageError):
        normal_log_ratio(1.0, 0.0, 1.0, 0.0)
