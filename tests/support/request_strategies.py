"""Requests as hypothesis makes them up: sound ones, and others in every way."""

from hypothesis import strategies as st

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
colors = st.fixed_dictionaries(
    {
        "proportion": st.sampled_from([0, 0.1, 0.2, 0.5, 1, 20, 50, 80, 100]) | anything,
    },
    optional={
        "name": st.sampled_from(["red", "violet", "PURPLE", "light-grey", "TERCOT", "rde"]),
        "hex": st.sampled_from(["#1e90ff", "c74a3d", "#f00", "#ff"]),
        "color": anything,
    },
)
requests = st.fixed_dictionaries(
    {"colors": st.lists(colors, max_size=9) | anything},
    optional={
        "angle": st.floats(0, 180) | anything,
        "quality": st.sampled_from(["preview", "high"]) | anything,
        "seed": st.integers(-1, 2**32) | anything,
        "overrides": st.fixed_dictionaries(
            {}, optional={"strength": st.floats(0, 1), "negative_prompt": st.text() | anything}
        )
        | anything,
        "params_json": anything,
    },
)
