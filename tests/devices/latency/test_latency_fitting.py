from __future__ import annotations

import numpy as np
import pytest

from devices.latency.model.fit.fitting import Prior, Sample, fit_one, fit_population

TRUE = np.log(np.array([0.1, 0.9, 2.0, 0.05]))


def sample(rng: np.random.Generator, n: int, scale: float = 0.0, noise: float = 0.02) -> Sample:
    x = np.exp(rng.normal(size=(n, 4)) + np.array([4.0, 2.0, 1.5, 3.0]))
    y = np.log(x @ np.exp(TRUE + scale)) + noise * rng.normal(size=n)
    return Sample(x, y, np.ones(n))


def test_costs_come_back_from_plenty_of_data(rng: np.random.Generator) -> None:
    fit = fit_one(sample(rng, 200), Prior(np.zeros(4), np.full(4, 3.0)))
    assert fit.log_cost == pytest.approx(TRUE, abs=0.1)


def test_two_measurements_set_the_scale_and_the_population_the_rest(rng: np.random.Generator) -> None:
    boards = [sample(rng, 30, scale) for scale in (-1.0, 0.0, 0.7, 1.3)]
    prior = fit_population(boards, np.zeros(4))
    new = sample(rng, 40, scale=2.0)
    fit = fit_one(Sample(new.terms[:2], new.log_ms[:2], np.ones(2)), prior)
    errors = np.log(new.terms[2:] @ np.exp(fit.log_cost)) - new.log_ms[2:]
    assert np.abs(errors).mean() < 0.06


def test_one_outlier_does_not_bend_a_board(rng: np.random.Generator) -> None:
    s = sample(rng, 40)
    bent = s.log_ms.copy()
    bent[0] += np.log(10)
    fit = fit_one(Sample(s.terms, bent, s.weight), Prior(np.zeros(4), np.full(4, 1.0)))
    errors = np.abs(np.log(s.terms[1:] @ np.exp(fit.log_cost)) - s.log_ms[1:])
    assert errors.mean() < 0.05


def test_the_order_of_rows_makes_no_difference(rng: np.random.Generator) -> None:
    s, order = sample(rng, 25), rng.permutation(25)
    prior = Prior(np.zeros(4), np.full(4, 0.5))
    shuffled = fit_one(Sample(s.terms[order], s.log_ms[order], s.weight[order]), prior)
    assert shuffled.log_cost == pytest.approx(fit_one(s, prior).log_cost, abs=1e-6)


def test_uncertainty_shrinks_with_data(rng: np.random.Generator) -> None:
    prior, new = Prior(np.zeros(4), np.full(4, 1.0)), sample(rng, 20).terms

    def variance(n: int) -> float:
        fit = fit_one(sample(rng, n), prior)
        shares = new * np.exp(fit.log_cost)
        jacobian = np.c_[np.ones(len(new)), shares / shares.sum(1, keepdims=True)]
        return float(np.mean(np.einsum("ij,jk,ik->i", jacobian, fit.covariance, jacobian)))

    assert variance(100) < variance(3) / 5
