"""`compare` across settings: did a higher learning rate help?"""

import json

import pytest

from harness.entries.sides import Differing, check_across, differing, same_settings, sides
from harness.errors import NonConforming, UserError
from helpers.program import call
from helpers.runs import finished_run, made_once

GROUPS = ("cartpole-swingup/dense", "cartpole-swingup/mst")


@pytest.fixture(scope="session")
def faster(tiny_suite, shared):
    """`two_seeds` with a higher learning rate of the critic, and other blocks of the actor."""

    def make():
        settings = ("settings.critic_lr=0.001", "blocks={actor: T3}")
        overrides = ("seeds=2", "regimes=[dense, mst]", *settings)
        return finished_run(tiny_suite, shared / "faster", *overrides, members=6).parent

    return made_once(shared, "faster-folder", make)


def test_other_settings_are_compared_only_where_they_are_named(two_seeds, faster):
    with pytest.raises(NonConforming, match=r"they differ in blocks\.actor, critic_lr\."):
        sides(two_seeds, faster)
    with pytest.raises(NonConforming, match=r"they differ in blocks\.actor\."):
        sides(two_seeds, faster, across=("critic_lr",))
    assert sides(two_seeds, faster, across=("critic_lr", "blocks.actor"))


def test_what_differs_is_said_with_both_values(two_seeds, faster):
    assert differing(*sides(two_seeds, faster, across=("settings",))) == [
        Differing("blocks.actor", GROUPS, "T5", "T3"),
        Differing("critic_lr", GROUPS, 0.0003, 0.001),
    ]
    shown = call("compare", two_seeds, faster, "--across", "settings")
    assert f"critic_lr: 0.0003 in a, 0.001 in b ({', '.join(GROUPS)})" in shown.stdout
    assert "P(b > a)" in shown.stdout
    document = json.loads(
        call("compare", two_seeds, faster, "--across", "settings", "--json").stdout
    )
    assert [row["name"] for row in document["settings"]] == ["blocks.actor", "critic_lr"]


@pytest.mark.parametrize(
    ("across", "settings", "same"),
    [
        (["critic_lr"], [], ["critic_lr"]),
        (["settings"], [], ["settings"]),
        (["settings"], ["critic_lr"], []),
        (["critic_lr", "actor_lr", "actor_lr"], ["critic_lr"], ["actor_lr"]),
    ],
)
def test_a_setting_that_does_not_differ_is_named(across, settings, same):
    """Who forgot to change it would read the seeds' chance as its effect."""
    differ = [Differing(name, GROUPS, 1, 2) for name in settings]
    assert same_settings(across, differ) == same


def test_a_setting_that_nobody_has_is_refused():
    with pytest.raises(UserError, match="--across critic_lrr: unknown setting"):
        check_across(["critic_lrr"])
