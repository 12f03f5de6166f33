import numpy as np

from cvlarray.kernels.coverage import observation_coverage

NODATA = -32_768


def test_counts_span_and_seasons():
    dates = np.array(["2019-01-03", "2019-01-09", "2019-07-15", "2021-12-20"], "datetime64[D]")
    series = np.full((4, 5), 7, np.int16)
    series[:, 0] = NODATA
    series[1:, 1] = NODATA
    series[2:, 2] = NODATA
    series[[0, 3], 3] = NODATA
    found = observation_coverage(series.reshape(4, 5, 1), dates.astype(int))
    assert found.n_valid.ravel().tolist() == [0, 1, 2, 2, 4]
    assert found.span_days.ravel().tolist() == [0, 0, 6, 187, 1082]
    np.testing.assert_allclose(12 * found.season_coverage.ravel(), [0, 1, 1, 2, 3], rtol=1e-6)
    assert found.span_days.shape == (5, 1)


def test_order_of_dates_and_split_of_pixels_change_nothing():
    rng = np.random.default_rng(0)
    days = rng.choice(np.arange(16_000, 17_000), 60, replace=False)
    series = rng.integers(0, 100, (60, 9_000)).astype(np.int16)
    series[rng.random(series.shape) < 0.8] = NODATA
    whole = observation_coverage(series, days)
    mixed = rng.permutation(60)
    for other in (
        observation_coverage(series[mixed], days[mixed]),
        [
            np.concatenate(arrays)
            for arrays in zip(
                *(
                    observation_coverage(part, days)
                    for part in np.split(series, [5, 5_000], axis=1)
                ),
                strict=True,
            )
        ],
    ):
        for one, same in zip(whole, other, strict=True):
            np.testing.assert_array_equal(one, same)
