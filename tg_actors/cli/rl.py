"""``tg rl``: what rewards pay for, and the market whose best policy is known."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.screen import AsJson, out, print_json, show

if TYPE_CHECKING:
    from tg_actors.rl.audit import AuditReport

app = typer.Typer(
    no_args_is_help=True, help="Reinforcement learning: rewards and the market with an answer key."
)

Reward = Annotated[str | None, typer.Option("--reward", help="One preset, e.g. v2; all of them if left out.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the markets.")]
Cash = Annotated[float, typer.Option("--cash", min=1.0, help="What an account begins with.")]


@app.command()
def audit(reward: Reward = None, seed: Seed = 1, cash: Cash = 10_000.0, json_: AsJson = False) -> None:
    """Judge rewards by degenerate policies: paid for nothing, or in another order than wealth?"""
    from tg_actors.rl.audit import audit_all
    from tg_actors.rl.presets import PRESETS

    reports = audit_all(PRESETS if reward is None else (reward,), seed=seed, cash=cash)
    if json_:
        print_json([_audited(report) for report in reports])
        return
    policies = [score.policy for score in reports[0].scores]
    rows = [
        {
            "reward": report.preset,
            "verdict": "sound" if report.is_sound else "FAILS",
            **{score.policy: f"{score.excess:+.4f}" for score in report.scores[1:]},
        }
        for report in reports
    ]
    title = "Reward a bar beyond staying flat, where nothing can be won (more than 0: paid for nothing)"
    show(rows, ("reward", "verdict", *policies[1:]), title, as_json=False)
    for report in reports:
        out.print(f"  {report.preset}: {_sentence(report)}", highlight=False, markup=False)


@app.command("answer-key")
def answer_key(json_: AsJson = False) -> None:
    """Show what rules and specialists are worth on the market whose best policy is known exactly."""
    from tg_actors.rl import answer_key as market

    best, values = market.best_policy(market.STANDARD)
    optimum = market.score(market.STANDARD, values)
    policies = {name: rule() for name, rule in market.RULES.items()}
    policies |= {f"best for {name}": market.specialist(market.STANDARD, name) for name in market.REGIMES}
    policies["best"] = best
    rows: list[dict[str, Any]] = [
        {"policy": name, "value": worth, "of_best_frac": worth / optimum, "sees_regime": name in _SEEING}
        for name, policy in policies.items()
        for worth in [market.score(market.STANDARD, market.values_of(market.STANDARD, policy))]
    ]
    if json_:
        print_json(
            {"states": market.STATES, "gamma": market.STANDARD.gamma, "best": optimum, "policies": rows}
        )
        return
    shown = [
        {
            "policy": row["policy"],
            "value": f"{row['value']:.4f}",
            "of_best": f"{100 * row['of_best_frac']:.1f} %",
            "sees_regime": "yes" if row["sees_regime"] else "no",
        }
        for row in rows
    ]
    title = (
        f"Exact values on the answer-key market ({market.STATES} states, discount {market.STANDARD.gamma})"
    )
    show(shown, ("policy", "value", "of_best", "sees_regime"), title, as_json=False)


#: Policies that act on the regime.
_SEEING = frozenset({"knowing", "best"})


def _sentence(report: "AuditReport") -> str:
    from tg_actors.rl.presets import PRESETS

    faults = [f"pays {name} for nothing" for name in report.overpaid]
    faults += [f"pays {paid} more than {faster}, which earns more" for faster, paid in report.inverted]
    return "; ".join((PRESETS[report.preset].meaning, *faults))


def _audited(report: "AuditReport") -> dict[str, Any]:
    from tg_actors.rl.presets import PRESETS

    return {
        "reward": report.preset,
        "meaning": PRESETS[report.preset].meaning,
        "is_sound": report.is_sound,
        "overpaid": list(report.overpaid),
        "inverted": [list(pair) for pair in report.inverted],
        "cash": report.cash,
        "policies": [
            {
                "policy": score.policy,
                "reward": score.reward,
                "excess": score.excess,
                "excess_error": score.excess_error,
                "growth": score.growth,
            }
            for score in report.scores
        ],
    }
