#!/usr/bin/python3
"""test/oracle/ltv.py > test/oracle/ltv.tsv: true values for test/oracle/ltv.c.

Every value is computed by mpmath with 30 digits, from the definition of the
model: the likelihood given a customer's rates, integrated over their gamma and
beta distributions and over the time of being lost.  The closed forms of the
literature are used only to check some of the integrals.  These are adaptive
Gauss-Legendre, each panel against its halves.

A row is: function, process, four parameters, n, x, t_x, t, horizon, delta,
component of a gradient or -1, value.
"""
import functools
import random
import sys

import mpmath as mp
from mpmath import mpf

mp.mp.dps = 30
TOLERANCE = mpf(10) ** -19
CUT = 50                                # e^-50 is 2e-22
HOUR = 1 / 24
CENTURY = 36525.0
ROUNDS = 100                            # over the hard grid; fifteen minutes


@functools.lru_cache(maxsize=10000)
def log_gamma(z):
    return mp.loggamma(z)


@functools.lru_cache(maxsize=10000)
def log(z):
    return mp.log(z)


def legendre_rule(n):
    rule = []
    for k in range(n // 2):
        x = mp.cos(mp.pi * (k + mpf(3) / 4) / (n + mpf(1) / 2))
        for _ in range(60):
            p0, p1 = mpf(1), x
            for j in range(2, n + 1):
                p0, p1 = p1, ((2 * j - 1) * x * p1 - (j - 1) * p0) / j
            slope = n * (x * p1 - p0) / (x * x - 1)
            step = p1 / slope
            x -= step
            if abs(step) < mpf(10) ** -28:
                break
        rule.append((x, 2 / ((1 - x * x) * slope ** 2)))
    assert abs(sum(w for _, w in rule) - 1) < mpf(10) ** -26
    return rule


RULE = legendre_rule(24)


def log_integral(f, low, high):
    """log of the integral of exp(f(v)) over [low, high], f with one hump."""
    # the top: a coarse scan, then golden section
    a, b = mpf(max(low, -60)), mpf(min(high, 60))
    grid = [a + (b - a) * k / 60 for k in range(61)]
    best = max(range(61), key=lambda k: f(grid[k]))
    a, b = grid[max(best - 1, 0)], grid[min(best + 1, 60)]
    ratio = (mp.sqrt(5) - 1) / 2
    for _ in range(25):
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        if f(c) < f(d):
            a = c
        else:
            b = d
    mode = max((a, b, grid[0], grid[60]), key=f)
    top = f(mode)

    def edge(end, sign):
        step = mpf(1)
        near = mode
        while True:
            far = mode + sign * step
            if sign * (far - end) >= 0:
                far = end
            if mp.isinf(far) or f(far) < top - CUT:
                break
            if far == end:
                return end
            near, step = far, step * 2
        for _ in range(60):
            middle = (near + far) / 2
            height = f(middle)
            if height < top - CUT:
                far = middle
                if height > top - CUT - 10:
                    break
            else:
                near = middle
        return far

    left = edge(mpf(low), -1) if mode > low else mode
    right = edge(mpf(high), 1) if mode < high else mode

    def panel(a, b):
        half, middle = (b - a) / 2, (a + b) / 2
        return half * mp.fsum(w * (mp.exp(f(middle + half * x) - top) +
                                   mp.exp(f(middle - half * x) - top)) for x, w in RULE)

    total = mpf(0)
    work = []
    for end in (left, right):
        # short panels near the top: what is narrow beside a long one could be missed
        near, step = mode, mpf(2)
        while near != end:
            far = end if abs(end - near) <= step else near + step * mp.sign(end - near)
            work.append((min(near, far), max(near, far), panel(min(near, far), max(near, far))))
            near, step = far, step * 2
    size = [max([w[2] for w in work])]
    while work:
        a, b, whole = work.pop()
        middle = (a + b) / 2
        one, two = panel(a, middle), panel(middle, b)
        size[0] = max(size[0], one, two)
        if abs(one + two - whole) <= TOLERANCE * size[0] or b - a < mpf(10) ** -20:
            total += one + two
        else:
            work += [(a, middle, one), (middle, b, two)]
    return top + mp.log(total)


# The logarithm of v = log(...) and of the logit, without cancellation.
def softplus(v):
    return v + mp.log1p(mp.exp(-v)) if v > 0 else mp.log1p(mp.exp(v))


def over_beta(a, b, log_g):
    """log E[g(p)], p ~ Beta(a, b); log_g of p, log p and log(1-p)."""
    def f(v):
        log_p = -softplus(-v)
        log_q = log_p - v
        return a * log_p + b * log_q + log_g(mp.exp(log_p), log_p, log_q)
    return log_integral(f, -mp.inf, mp.inf) - log_beta(a, b)


def log_beta(a, b):
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b)


def over_time(log_g, start, length):
    """log of the integral of g(u) du over [0, length], u = start (e^v - 1)."""
    return log_integral(lambda v: log_g(start * mp.expm1(v)) + v + mp.log(start),
                        0, mp.log1p(length / start) if length != mp.inf else mp.inf)


def log_sum(*terms):
    terms = [t for t in terms if t != -mp.inf]
    if not terms:
        return -mp.inf
    top = max(terms)
    return top + mp.log(mp.fsum(mp.exp(t - top) for t in terms))


# E[lambda^k exp(-lambda u)], lambda ~ Gamma(r, alpha)
def log_rate_moment(r, alpha, k, u):
    return (log_gamma(r + k) - log_gamma(r) + r * log(alpha)
            - (r + k) * mp.log(alpha + u))


class Bg:
    """BG/NBD, and with first = 1 MBG/NBD: a coin at the first purchase too."""

    def __init__(self, first):
        self.first = first

    def survived(self, q, k):
        """log E[(1-p)^k]"""
        a, b = q[2], q[3]
        return log_beta(a, b + k) - log_beta(a, b)

    def alive(self, q, x, t_x, t):
        """log of likelihood and being alive"""
        return log_rate_moment(q[0], q[1], x, t) + self.survived(q, x + self.first)

    def lost(self, q, x, t_x, t):
        k = x + self.first
        if k == 0:
            return -mp.inf
        a, b = q[2], q[3]
        return (log_rate_moment(q[0], q[1], x, t_x)
                + log_beta(a + 1, b + k - 1) - log_beta(a, b))

    def orders(self, q, x, t_x, t, h, delta):
        """log of likelihood and being alive, times (discounted) orders"""
        r, alpha, a, b = q
        k = x + self.first
        if delta == 0:
            # given lambda and p: (1 - exp(-lambda p h)) / p
            def log_g(p, log_p, log_q):
                w = (r + x) * mp.log1p(p * h / (alpha + t))
                return k * log_q - log_p + mp.log(-mp.expm1(-w))
            return log_rate_moment(r, alpha, x, t) + over_beta(a, b, log_g)
        # given p the rate of orders at u is E[lambda exp(-lambda (t + p u))]
        return log_rate_moment(r, alpha, x + 1, t) + over_beta(
            a, b, lambda p, log_p, log_q: k * log_q + discount_integral(
                r + x + 1, (alpha + t) * mp.exp(-log_p), h, delta))

    def count(self, q, n, x, t_x, t, h):
        """log of likelihood, being alive, and n orders"""
        r, alpha, a, b = q
        k = x + self.first
        log_n = log_gamma(n + 1)
        whole = (log_rate_moment(r, alpha, x + n, t + h) + (n * mp.log(h) if n else 0) - log_n
                 + self.survived(q, k + n))
        if n == 0:
            return whole
        # lost at the n-th, which falls at u
        R = r + x
        timed = over_log_time(lambda u: log_rate_moment(r, alpha, x + n, t + u)
                              + (n - 1) * mp.log(u) - log_gamma(n), h)
        return log_sum(whole, timed + log_beta(a + 1, b + k + n - 1) - log_beta(a, b))


def log_expint(n, w):
    """log of e^w E_n(w), by its continued fraction (Lentz) where that is at ease"""
    if w < 1 and n < 50:
        return w + mp.log(mp.expint(n, w))
    b = w + n
    f = c = b
    d = mpf(0)
    for k in range(1, 100000):
        a = -k * (n + k - 1)
        b += 2
        d = 1 / (b + a * d)
        c = b + a / c
        f *= c * d
        if abs(c * d - 1) < mpf(10) ** -27:
            return -mp.log(f)
    raise ArithmeticError((n, w))


def discount_integral(power, c, h, delta):
    """log of the integral of exp(-delta u) (1 + u/c)^-power du over [0, h]"""
    if h == mp.inf:
        return mp.log(c) + log_expint(power, delta * c)

    def f(v):                           # u = c (e^v - 1)
        return mp.exp(-delta * c * mp.expm1(v) - (power - 1) * v)
    end = mp.log1p(h / c) if h != mp.inf else mp.log1p(CUT / delta / c)
    total, v = mpf(0), mpf(0)
    while v < end:
        # 24 nodes are exact for exp(-16 x) on [0, 1], and shorter ones
        slope = abs(power - 1) + delta * c * mp.exp(v)
        half = min(end - v, 6 / slope, mpf(1)) / 2
        total += half * mp.fsum(w * (f(v + half - half * x) + f(v + half + half * x)) for x, w in RULE)
        v += 2 * half
        if f(v) * (end - v) < mpf(10) ** -21 * total:
            break
    return mp.log(total * c)


def over_log_time(log_g, h):
    return log_integral(lambda v: log_g(mp.exp(v)) + v, -mp.inf, mp.log(h))


class Pareto:
    def alive(self, q, x, t_x, t):
        r, alpha, s, beta = q
        return log_rate_moment(r, alpha, x, t) + log_rate_moment(s, beta, 0, t)

    def lost(self, q, x, t_x, t):
        r, alpha, s, beta = q
        if t <= t_x:
            return -mp.inf
        # lost at t_x + u: density E[mu exp(-mu y)]
        return over_time(lambda u: log_rate_moment(r, alpha, x, t_x + u)
                         + log_rate_moment(s, beta, 1, t_x + u),
                         min(alpha, beta) + t_x, t - t_x)

    def orders(self, q, x, t_x, t, h, delta):
        r, alpha, s, beta = q
        return log_rate_moment(r, alpha, x + 1, t) + over_time(
            lambda u: -delta * u + log_rate_moment(s, beta, 0, t + u), beta + t, h)

    def count(self, q, n, x, t_x, t, h):
        r, alpha, s, beta = q
        def log_n(u):
            return (log_rate_moment(r, alpha, x + n, t + u)
                    + (n * mp.log(u) if n else 0) - log_gamma(n + 1))
        return log_sum(log_n(h) + log_rate_moment(s, beta, 0, t + h),
                       over_log_time(lambda u: log_n(u) + log_rate_moment(s, beta, 1, t + u), h))


MODELS = {"bg_nbd": Bg(0), "mbg_nbd": Bg(1), "pareto_nbd": Pareto()}


@functools.lru_cache(maxsize=100)
def likelihood_of(model, q, x, t_x, t):
    return log_sum(model.alive(q, x, t_x, t), model.lost(q, x, t_x, t))


def likelihood(model, q, x, t_x, t):
    return likelihood_of(model, tuple(q), x, t_x, t)


def spend_likelihood(q, x, m):
    """log of E over nu of the gamma density of a mean of x values"""
    p, qq, gamma = q
    shape = p * x
    # density of the mean given nu: Gamma(shape, x nu); times Gamma(q, gamma)
    def f(v):
        nu = mp.exp(v)
        return (shape * mp.log(x * nu) + (shape - 1) * mp.log(m) - x * nu * m - log_gamma(shape)
                + qq * mp.log(gamma) + qq * v - gamma * nu - log_gamma(qq))
    return log_integral(f, -mp.inf, mp.inf)


def spend_expected(q, x, m):
    """E[p/nu] given the customer's purchases, by the ratio of two integrals"""
    p, qq, gamma = q
    if p * x + qq <= 1:
        return mp.inf
    a, b = p * x + qq, gamma + x * m
    above = log_integral(lambda v: (a - 1) * v - b * mp.exp(v), -mp.inf, mp.inf)
    below = log_integral(lambda v: a * v - b * mp.exp(v), -mp.inf, mp.inf)
    return p * mp.exp(above - below)


def derivative(f, q, i, step=mpf("0.00001")):
    """of f by log q[i]: differences of the fourth order"""
    def at(k):
        return f([v * mp.exp(k * step) if j == i else v for j, v in enumerate(q)])
    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)


def discounted_orders(model, q, x, t_x, t, h, delta):
    if h == 0:
        return mpf(0)
    return mp.exp(model.orders(q, x, t_x, t, h, delta) - likelihood(model, q, x, t_x, t))


def order_probability(model, q, n, x, t_x, t, h):
    if h == 0:
        return mpf(n == 0)
    value = model.count(q, n, x, t_x, t, h)
    if n == 0:
        value = log_sum(value, model.lost(q, x, t_x, t))
    return mp.exp(value - likelihood(model, q, x, t_x, t))


rows = 0


def emit(name, process, q, n, x, t_x, t, h, delta, component, value):
    global rows
    rows += 1
    q = list(q) + [0] * (4 - len(q))
    print("\t".join([name, process] + [repr(float(v)) for v in q] + [str(n)]
                    + [repr(float(v)) for v in (x, t_x, t, h, delta)]
                    + [str(component), mp.nstr(value, 22)]), flush=True)


def exact(values):
    return [mpf(v) if v != mp.inf else mp.inf for v in values]


def one(name, process, q, n, x, t_x, t, h, delta):
    model, qq = MODELS[process], exact(q)
    X, TX, T, H, D = exact([x, t_x, t, h, delta])
    if name == "log_likelihood":
        value = likelihood(model, qq, X, TX, T)
        if abs(value) < mpf(10) ** -27:
            value = mpf(0)
    elif name == "alive":
        value = mp.exp(model.alive(qq, X, TX, T) - likelihood(model, qq, X, TX, T))
    elif name == "lost":
        value = mp.exp(model.lost(qq, X, TX, T) - likelihood(model, qq, X, TX, T))
    elif name in ("expected_orders", "discounted_orders"):
        value = discounted_orders(model, qq, X, TX, T, H, D)
    else:
        value = order_probability(model, qq, n, X, TX, T, H)
    emit(name, process, q, n, x, t_x, t, h, delta, -1, value)


def gradients(name, process, q, x, t_x, t, h, delta):
    model, qq = MODELS[process], exact(q)
    X, TX, T, H, D = exact([x, t_x, t, h, delta])
    for i in range(4):
        if name == "log_likelihood_gradient":
            value = derivative(lambda p: likelihood(model, p, X, TX, T), qq, i)
        else:
            value = derivative(lambda p: discounted_orders(model, p, X, TX, T, H, D), qq, i)
        emit(name, process, q, 0, x, t_x, t, h, delta, i, value)


def hessian(process, q, x, t_x, t):
    model, qq = MODELS[process], exact(q)
    X, TX, T = exact([x, t_x, t])
    for i in range(4):
        for j in range(i, 4):
            # a longer step, as it is taken twice
            value = derivative(lambda p: derivative(
                lambda v: likelihood(model, v, X, TX, T), p, j, mpf("0.001")), qq, i, mpf("0.001"))
            emit("log_likelihood_hessian", process, q, 0, x, t_x, t, 0, 0, 4 * i + j, value)


# The hard grid

def parameter(rng):
    if rng.random() < 0.4:
        return rng.choice([1e-3, 1e-3, 0.5, 1.0, 1 + 1e-9, 1 - 1e-9, 1 - 1e-4, 1 + 1e-4, 2.0, 3.0,
                           1e3, 1e3])
    return float("%.12g" % 10 ** rng.uniform(-3, 3))


def customer(rng):
    x = rng.choice([0, 1, 1, 2, 3, 7, 12, 40, 63, 64, 221, 1000, 5000, rng.randrange(5001)])
    t = rng.choice([HOUR, 1.0, 30.0, 365.0, 3652.5, 18262.5,
                    float("%.12g" % (HOUR * 10 ** rng.uniform(0, 5.64)))])
    t_x = rng.choice([0.0, t, t * (1 - 1e-9), t * rng.random(), t * rng.random(), t * rng.random()])
    return (0, 0.0, t) if x == 0 else (x, t_x, t)


def horizon_of(rng):
    return rng.choice([HOUR, 1e-6, 1.0, 30.0, 365.25, CENTURY,
                       float("%.12g" % 10 ** rng.uniform(-2, 4.56))])


def delta_of(rng):
    return rng.choice([1e-9, 2.7e-4, 0.01, 1.0, float("%.12g" % 10 ** rng.uniform(-6, 0))])


# name: parameters, customer, horizon of the cases that textbook formulas fail on
CORNERS = [
    ([0.243, 4.414, 0.793, 2.426], (2, 30.43, 38.86), 39.0),    # CDNOW, the paper's customer
    ([0.553, 10.578, 0.606, 11.669], (2, 30.43, 38.86), 39.0),
    ([0.5, 10.0, 1.0, 2.0], (3, 20.0, 40.0), 52.0),             # a = 1, s = 1
    ([0.5, 10.0, 1 + 1e-12, 2.0], (3, 20.0, 40.0), 52.0),
    ([0.5, 10.0, 0.25, 0.75], (0, 0.0, 40.0), 52.0),            # a + b + x = 1
    ([0.5, 10.0, 0.5, 0.25], (0, 0.0, 40.0), 0.25),
    ([0.5, 10.0, 2.0, 1.0], (3, 20.0, 40.0), 52.0),             # a, s whole
    ([0.5, 10.0, 3 + 1e-10, 1.0], (3, 20.0, 40.0), 52.0),
    ([0.5, 1e-3, 0.7, 1e3], (221, 300.0, 365.0), 365.0),        # beta much larger than alpha
    ([0.5, 1e-3, 0.7, 1e3], (5000, 300.0, 365.0), 365.0),
    ([0.5, 1e3, 0.7, 1e-3], (5000, 300.0, 365.0), 365.0),       # and the reverse
    ([1e3, 1e-3, 1e3, 1e-3], (5000, 18262.5, 18262.5), CENTURY),
    ([1e3, 1e3, 1e-3, 1e3], (5000, 0.0, 18262.5), CENTURY),
    ([1e-3, 1e3, 1e3, 1e-3], (1, 0.0, 18262.5), CENTURY),
    ([1e-3, 1e-3, 1e-3, 1e-3], (1, HOUR, HOUR), CENTURY),
    ([1e-3, 1e-3, 1e-3, 1e-3], (0, 0.0, HOUR), CENTURY),
    ([1e3, 1e3, 1e3, 1e3], (5000, 18262.5, 18262.5), CENTURY),
    ([1e3, 1e-3, 1e-3, 1e-3], (0, 0.0, HOUR), CENTURY),
    ([1e3, 1e-3, 1e-3, 1e3], (0, 0.0, HOUR), CENTURY),
    ([2.0, 5.0, 5.0, 5.0], (4, 10.0, 10.0), 10.0),              # alpha = beta
    ([2.0, 5.0, 5.0, 5.0], (0, 0.0, 0.0), 10.0),                # seen for no time
]


def check_closed_forms():
    """The integrals against formulas of the literature, where these are at ease."""
    for r, alpha, a, b, x, t_x, t, h in [(0.243, 4.414, 0.793, 2.426, 2, 30.43, 38.86, 39.0),
                                         (3.5, 0.25, 2.25, 11.0, 12, 3.0, 9.0, 400.0)]:
        r, alpha, a, b, x, t_x, t, h = exact([r, alpha, a, b, x, t_x, t, h])
        ratio = (alpha + t) / (alpha + t_x)
        book = ((a + b + x - 1) / (a - 1)
                * (1 - ((alpha + t) / (alpha + t + h)) ** (r + x)
                   * mp.hyp2f1(r + x, b + x, a + b + x - 1, h / (alpha + t + h)))
                / (1 + a / (b + x - 1) * ratio ** (r + x)))
        ours = discounted_orders(MODELS["bg_nbd"], [r, alpha, a, b], x, t_x, t, h, mpf(0))
        assert abs(book / ours - 1) < 1e-18, (book, ours)
        book = discount_integral(r + x + 1, alpha + t, mp.inf, mpf("0.0027"))
        late = discount_integral(r + x + 1, alpha + t, mpf(10) ** 9, mpf("0.0027"))
        assert abs(book - late) < 1e-18, (book, late)
        near = discounted_orders(MODELS["bg_nbd"], [r, alpha, a, b], x, t_x, t, h, mpf(10) ** -22)
        assert abs(near / ours - 1) < 1e-17, (near, ours)
        # Pareto/NBD with s = a, beta = b, alpha >= beta and below: the likelihood by 2F1
        for alpha, s, beta in ((alpha, a, alpha / 3), (alpha, a, b * 9)):
            big, other = max(alpha, beta), (s + 1 if alpha >= beta else r + x)
            def a0(y):
                return mp.hyp2f1(r + s + x, other, r + s + x + 1,
                                 abs(alpha - beta) / (big + y)) / (big + y) ** (r + s + x)
            book = (log_gamma(r + x) - log_gamma(r) + r * mp.log(alpha) + s * mp.log(beta)
                    + mp.log((1 / ((alpha + t) ** (r + x) * (beta + t) ** s))
                             + s / (r + s + x) * (a0(t_x) - a0(t))))
            ours = likelihood(MODELS["pareto_nbd"], [r, alpha, s, beta], x, t_x, t)
            assert abs(book / ours - 1) < 1e-18, (book, ours)
            delta = mpf("0.0027")
            book = (alpha ** r * beta ** s * delta ** (s - 1) * mp.gamma(r + x + 1)
                    * mp.hyperu(s, s, delta * (beta + t))
                    / (mp.gamma(r) * (alpha + t) ** (r + x + 1) * mp.exp(ours)))
            ours = discounted_orders(MODELS["pareto_nbd"], [r, alpha, s, beta], x, t_x, t,
                                     mp.inf, delta)
            assert abs(book / ours - 1) < 1e-18, (book, ours)


def main():
    rng = random.Random(1987)
    check_closed_forms()
    processes = list(MODELS)
    for q, c, h in CORNERS:
        for process in processes:
            one("log_likelihood", process, q, 0, *c, 0.0, 0.0)
            one("alive", process, q, 0, *c, 0.0, 0.0)
            one("expected_orders", process, q, 0, *c, h, 0.0)
            for n in (0, 1, 3, 150):
                one("order_probability", process, q, n, *c, h, 0.0)
    for q, c, h in CORNERS[:2]:
        for process in processes:
            one("discounted_orders", process, q, 0, *c, h, 0.0027)
            one("discounted_orders", process, q, 0, *c, mp.inf, 0.0027)
            gradients("log_likelihood_gradient", process, q, *c, 0.0, 0.0)
            hessian(process, q, *c)
            gradients("expected_orders_gradient", process, q, *c, h, 0.0)
            if process == "pareto_nbd":
                gradients("discounted_orders_gradient", process, q, *c, h, 0.0027)
    for i in range(ROUNDS):
        for process in processes:
            q = [parameter(rng) for _ in range(4)]
            c, h = customer(rng), horizon_of(rng)
            one("log_likelihood", process, q, 0, *c, 0.0, 0.0)
            one("alive", process, q, 0, *c, 0.0, 0.0)
            one("expected_orders", process, q, 0, *c, h, 0.0)
            n = rng.choice([0, 0, 1, 2, 5, 30, 300, 3000])
            one("order_probability", process, q, n, *c, h, 0.0)
            # two integrals in one take long, so that there are fewer of them
            if process == "pareto_nbd" and i % 3 == 0:
                one("discounted_orders", process, q, 0, *c, rng.choice([h, mp.inf]), delta_of(rng))
            if process != "pareto_nbd" and i % 6 == 0:
                one("discounted_orders", process, q, 0, *c, h, delta_of(rng))
            if i % 8 == 1:
                gradients("log_likelihood_gradient", process, q, *c, 0.0, 0.0)
                hessian(process, q, *c)
            if i % 40 == 2:
                gradients("expected_orders_gradient", process, q, *c, h, 0.0)
            if i % 40 == 3 and process == "pareto_nbd":
                gradients("discounted_orders_gradient", process, q, *c, h, 0.01)
        q = [parameter(rng) for _ in range(3)]
        x = rng.choice([1, 2, 3, 30, 1000, 5000])
        m = float("%.12g" % 10 ** rng.uniform(-6, 7))
        Q, X, M = exact(q), mpf(x), mpf(m)
        emit("spend_log_likelihood", "gamma_gamma", q, 0, x, m, 0, 0, 0, -1, spend_likelihood(Q, X, M))
        if rng.random() < 0.2:
            x, X = 0, mpf(0)
        emit("expected_spend", "gamma_gamma", q, 0, x, m, 0, 0, 0, -1, spend_expected(Q, X, M))
        if i % 4 == 0 and x > 0:
            for k in range(3):
                emit("spend_log_likelihood_gradient", "gamma_gamma", q, 0, x, m, 0, 0, 0, k,
                     derivative(lambda p: spend_likelihood(p, X, M), Q, k))
        if i % 4 == 0 and Q[0] * X + Q[1] > 1 + mpf(10) ** -3:
            for k in range(3):
                emit("expected_spend_gradient", "gamma_gamma", q, 0, x, m, 0, 0, 0, k,
                     derivative(lambda p: spend_expected(p, X, M), Q, k))
    all_time_to_come()
    slopes()
    small_differences()
    far_beyond()
    print(rows, "rows", file=sys.stderr)


def all_time_to_come():
    """BG/NBD and MBG/NBD without a horizon: the corners, and over the hard grid."""
    rng = random.Random(2005)
    for q, c, _ in CORNERS[2:]:
        one("discounted_orders", rng.choice(["bg_nbd", "mbg_nbd"]), q, 0, *c, mp.inf, delta_of(rng))
    for _ in range(ROUNDS // 2):
        q, c = [parameter(rng) for _ in range(4)], customer(rng)
        one("discounted_orders", rng.choice(["bg_nbd", "mbg_nbd"]), q, 0, *c, mp.inf, delta_of(rng))


def slopes():
    """What standard errors are made of: the corners, the poles of endless horizons, the hard grid."""
    rng = random.Random(1965)
    for q, c, h in CORNERS[2:]:
        gradients("expected_orders_gradient", rng.choice(list(MODELS)), q, *c, h, 0.0)
    for process in MODELS:
        for near in (1.01, 2.5):
            gradients("expected_orders_gradient", process, [0.5, 10.0, near, 2.0], 2, 5.0, 10.0, mp.inf, 0.0)
    for _ in range(ROUNDS // 10):
        q, c = [parameter(rng) for _ in range(4)], customer(rng)
        gradients("expected_orders_gradient", rng.choice(list(MODELS)), q, *c, horizon_of(rng), 0.0)
        gradients("discounted_orders_gradient", "pareto_nbd", q, *c, rng.choice([horizon_of(rng), mp.inf]),
                  delta_of(rng))


def small_differences():
    """Losses close to 0, and log-likelihoods: not to be had as 1 less something."""
    rng = random.Random(1983)
    for q, c, _ in CORNERS:
        for process in MODELS:
            if process != "bg_nbd" or c[0] > 0:
                one("lost", process, q, 0, *c, 0.0, 0.0)
    for _ in range(ROUNDS):
        q, (x, t_x, t) = [parameter(rng) for _ in range(4)], customer(rng)
        if x > 0:
            one("lost", rng.choice(list(MODELS)), q, 0, x, rng.choice([t_x, t * (1 - 1e-9)]), t, 0.0, 0.0)
    for q, t in (([1.0, 1e3, 1e3, 1e-3], HOUR), ([1e-3, 1.0, 1e3, 1e-3], 30.0), ([1e-3, 1e3, 1e3, 1e3], HOUR),
                 ([1e-3, 1e-3, 1e3, 1e-3], 18262.5), ([1e-3, 1e-3, 1e-3, 1e3], HOUR), ([0.01, 10.0, 3.0, 1.0], 365.0)):
        for process in MODELS:
            one("log_likelihood", process, q, 0, 0, 0.0, t, 0.0, 0.0)


def far_beyond():
    """Discounted orders within a horizon, for parameters that no model has."""
    rng = random.Random(2024)
    for _ in range(ROUNDS // 2):
        q = [float("%.12g" % 10 ** rng.uniform(-8, 8)) for _ in range(4)]
        h = float("%.12g" % 10 ** rng.uniform(-2, 6))
        delta = float("%.12g" % (10 ** rng.uniform(-6, 1) / h))
        x, t_x, t = customer(rng) if rng.random() < 0.3 else (0, 0.0, HOUR)
        one("discounted_orders", rng.choice(["bg_nbd", "mbg_nbd"]), q, 0, x, t_x, t, h, delta)
    # coins that hardly ever fall
    one("discounted_orders", "bg_nbd", [1.28756e19, 4.5466e-15, 1.9791e-14, 675648.0], 0, 0, 0.0, 0.0,
        7.81778e15, 1.56213e-21)


if __name__ == "__main__":
    main()
