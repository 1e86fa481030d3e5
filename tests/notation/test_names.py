import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad_cli.notation.names import GREEK, SIGNS, canonical, is_name, plain_letter, unicode_name


@pytest.mark.parametrize(
    "text", ["x", "_", "ŷ", "ω", "W1", "y_hat", "x₁", "w̄", "y\u0302", "Sigma", "∆t", "µ", "ж", "ℓ"]
)
def test_a_name_has_letters_digits_subscript_digits_and_accents(text: str) -> None:
    assert is_name(text)


@pytest.mark.parametrize(
    "text",
    ["xᵀ", "x²", "x⁻", "f'", "f′", "Σ", "Π", "∑", "∏", "xΣ", "1x", "₁", "\u0302", "", "x y", "xᵢ", "½", "𝑥"],
)
def test_superscripts_primes_and_sums_are_never_part_of_a_name(text: str) -> None:
    assert not is_name(text)


@pytest.mark.parametrize("sign", SIGNS)
def test_the_code_of_a_sign_is_no_name(sign: str) -> None:
    assert SIGNS[sign] == f"u{ord(sign):04x}" and not is_name(SIGNS[sign])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ŷ", "y_hat"),
        ("y\u0302", "ŷ"),
        ("w̄", "w_bar"),
        ("w\u0305", "w_bar"),
        ("x̃", "x_tilde"),
        ("ẋ", "x_dot"),
        ("ẍ", "x_ddot"),
        ("ω", "omega"),
        ("Ω", "Omega"),
        ("\u2126", "Ω"),
        ("ω̂", "omega_hat"),
        ("x₁", "x1"),
        ("x₁₂", "x12"),
        ("ŷ₁", "y_hat1"),
        ("ϵ", "ε"),
        ("ϕ", "φ"),
        ("\u00b5", "μ"),
        ("∆", "Δ"),
        ("σ_max", "sigma_max"),
        ("dŷ", "dy_hat"),
        ("ж", "u0436"),
    ],
)
def test_two_spellings_are_one_name(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


def test_an_underscore_makes_another_name() -> None:
    assert canonical("x_1") != canonical("x₁")
    assert len({canonical(name) for name in ("x", "x1", "x_1", "x_hat", "X")}) == 5


def test_greek_in_both_cases() -> None:
    assert canonical("α") == "alpha"
    assert canonical("Γ") == "Gamma"
    assert len({canonical(letter) for letter in GREEK}) == 24


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("omega", "ω"),
        ("w_bar", "w̄"),
        ("y_hat", "ŷ"),
        ("omega_hat1", "ω̂1"),
        ("sigma_max", "σ_max"),
        ("Gamma", "Γ"),
        ("Sigma", "Sigma"),
        ("Pi", "Pi"),
        ("Alpha", "Alpha"),
        ("cost", "cost"),
        ("cost_hat", "cost_hat"),
        ("y_hatted", "y_hatted"),
        ("beta_1", "β_1"),
        ("u0436", "ж"),
        ("x", "x"),
    ],
)
def test_unicode_spelling(name: str, spelling: str) -> None:
    assert unicode_name(name) == unicodedata.normalize("NFC", spelling)


letters = st.sampled_from([*"abwxyzABXΩωαδθγΔжéЙ日가", *GREEK, "_", "1", "₂", "\u0302", "\u0304", "\u0323"])
names = st.lists(letters, min_size=1, max_size=8).map("".join).filter(is_name)


@given(names)
def test_every_spelling_is_read_back_as_the_same_name(name: str) -> None:
    one = canonical(name)
    assert one.isascii()
    assert is_name(one)
    assert canonical(one) == one
    assert is_name(unicode_name(one))
    assert canonical(unicode_name(one)) == one
    for form in ("NFC", "NFD"):
        assert canonical(unicodedata.normalize(form, name)) == one


def test_ornate_letters_stand_for_plain_ones() -> None:
    assert plain_letter("𝑥") == "x"
    assert plain_letter("ℝ") == "R"
    assert plain_letter("x") is None
    assert plain_letter("+") is None
