"""Strategies for texts and numbers that JSON carries."""

from __future__ import annotations

from hypothesis import strategies as st

SAFE = 2**53 - 1
texts = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.characters(max_codepoint=0x1F),
        st.sampled_from('"\\/\x7f\x80\u2028\u2029\ufb33\uffff\U00010000\U0001f600\U0010ffff'),
    ),
    max_size=12,
)
