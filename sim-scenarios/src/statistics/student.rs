//! Student's t distribution and the normal one. By series and continued fractions, with `libm`: the
//! same on every platform.

/// Φ: the share of the normal distribution below `x`.
#[must_use]
pub fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// The share of Student's distribution with `freedom` degrees of freedom (above 0) below `t`.
#[must_use]
pub fn below(t: f64, freedom: f64) -> f64 {
    let tail = 0.5 * incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    if t < 0.0 { tail } else { 1.0 - tail }
}

/// How probable a value at least as far from 0 as `t` is, on either side.
#[must_use]
pub fn two_sided(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// The value with `share` of the distribution below it; `share` is between 0 and 1, both excluded.
#[must_use]
pub fn quantile(share: f64, freedom: f64) -> f64 {
    if share < 0.5 {
        return -quantile(1.0 - share, freedom);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while below(high, freedom) < share && high < 1e300 {
        high *= 2.0;
    }
    // More halvings than a number has bits change nothing.
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if below(middle, freedom) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// I_x(a, b), regularized: Press et al., Numerical Recipes, section 6.4.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x.is_nan() {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = libm::exp(
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
            + a * libm::log(x)
            + b * libm::log1p(-x),
    );
    // Each side converges fast where the other one does not.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(a, b, x) / a
    } else {
        1.0 - front * continued_fraction(b, a, 1.0 - x) / b
    }
}

/// Of the incomplete beta function, by Lentz's method.
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..10_000_u32 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / not_zero(1.0 + even * d);
        c = not_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / not_zero(1.0 + odd * d);
        c = not_zero(1.0 + odd / c);
        let change = d * c;
        fraction *= change;
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found} {expected}");
    }

    #[test]
    fn values_of_tables() {
        close(quantile(0.975, 1.0), 12.706_204_736);
        close(quantile(0.975, 4.0), 2.776_445_105);
        close(quantile(0.975, 9.0), 2.262_157_163);
        close(quantile(0.995, 30.0), 2.749_995_654);
        close(quantile(0.025, 4.0), -2.776_445_105);
        close(quantile(0.975, 1e6), 1.959_966_5);
        close(normal(1.959_963_985), 0.975);
        close(normal(-3.0), 0.001_349_898);
    }

    #[test]
    fn shares_and_quantiles_are_inverse() {
        for freedom in [1.0, 2.0, 5.5, 40.0] {
            for share in [0.001, 0.2, 0.5, 0.9, 0.999] {
                close(below(quantile(share, freedom), freedom), share);
            }
        }
        close(below(1.0, 1.0), 0.75);
        close(two_sided(1.0, 1.0), 0.5);
        close(two_sided(0.0, 3.0), 1.0);
        close(two_sided(f64::INFINITY, 3.0), 0.0);
    }
}
